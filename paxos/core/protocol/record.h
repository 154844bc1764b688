#pragma once
// What must become durable, and what is found again at start.

#include <variant>
#include <vector>

#include "paxos/core/protocol/entry.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

// Lives in the promise file, not in the log. Only for a promise without a vote: an Accept that raises
// the promise rests on its AcceptedRecord.
struct PromisedRecord {
  Ballot ballot;
};
struct AcceptedRecord {
  Slot slot;
  Ballot ballot;
  EntryPtr entry;
};
// A value learnt from another node.
struct ChosenRecord {
  Slot slot;
  EntryPtr entry;
};
// Says that the newest record of every slot up to here holds the chosen value (rule 4). A hint that
// saves work at the next start; nothing waits for it.
struct ChosenIndexRecord {
  Slot slot;
};

// All first members (rule 10). Written once, to a file of its own.
struct RosterRecord {
  Roster incarnations;
};

using Record = std::variant<PromisedRecord, AcceptedRecord, ChosenRecord, ChosenIndexRecord, RosterRecord>;

struct RecordBatch {
  Ticket ticket;
  std::vector<Record> records;
};

// What a replica starts from: read from the log and the state machine, and validated.
struct RecoveredState {
  Ballot promised;              // at least the ballot of every vote
  Slot chosen_index;            // every slot up to here is chosen
  Slot dropped_index;           // <= chosen_index; slots up to here are not in `votes`
  Slot applied;                 // >= dropped_index; the state machine holds the effects of all slots up to here
  std::vector<Vote> votes;      // the newest record of each slot above `dropped_index`, in slot order
  Configuration configuration;  // that governs the slot after `applied`
  LogTime log_time;             // the highest of any slot up to `applied`
  Roster roster;                // of the first members; empty before they have met
};

}  // namespace decree::paxos
