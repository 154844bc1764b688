#pragma once
// What the replica asks of the world. The caller carries it out and reports back; this struct is the
// whole contract.

#include <cstdint>
#include <string>
#include <vector>

#include "paxos/core/protocol/entry.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/record.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

struct ChosenEntry {
  Slot slot;
  EntryPtr entry;
};

// The position of a command in the log. When this slot is applied, the command was executed if the entry's
// `proposer` is this ballot; otherwise it was not and never will be.
struct Placement {
  ProposalId id;
  Slot slot;
  Ballot ballot;
  uint32_t index = 0;  // in the entry's batch
};

// Never proposed, and never will be: safe to send again, here or elsewhere.
struct DroppedProposal {
  enum class Reason { kNotLeader, kDeadline };
  ProposalId id;
  Reason reason = Reason::kNotLeader;
};

struct ReadGrant {
  ReadId id;
  Slot slot;
};

struct RefusedRead {
  enum class Reason { kNoLeader, kLeaderChanged, kTimedOut, kOverloaded };
  ReadId id;
  Reason reason = Reason::kNoLeader;
};

// A peer lacks slots that are only in the log: read them there, as many as fit into `bytes_max` and one at
// least, and report them with Replica::OnLogRead.
struct LogRead {
  NodeId to;
  uint64_t stream = 0;  // that they are for
  Slot first_slot;
  Slot last_slot;
  size_t bytes_max = 0;
};

struct Output {
  std::vector<Envelope> messages;    // Safe to send now, in any order; any of them may be lost.
  std::vector<RecordBatch> records;  // Make durable in this order, then report `batch.ticket`.
  std::vector<ChosenEntry> entries;  // Apply in slot order, without gaps, then report the last.
  std::vector<ReadGrant> reads;      // May be served once `grant.slot` is applied.
  std::vector<RefusedRead> refused_reads;
  std::vector<Placement> placements;  // Commands that now have a slot; comes before its entry.
  std::vector<DroppedProposal> dropped;
  std::vector<LogRead> log_reads;
  // What somebody said and cannot be right: for the operator, one line each.
  std::vector<std::string> problems;
};

}  // namespace decree::paxos
