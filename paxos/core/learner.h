#pragma once
// The learner: finds out which values are chosen, closes gaps, and hands chosen entries out in order.
//
// It trusts a leader's chosen index only for what this node accepted under that very leader's ballot;
// an older vote at the same slot may be for another value (rule 4). Everything else it fetches.

#include <cstddef>
#include <optional>

#include "paxos/base/time.h"
#include "paxos/core/acceptor.h"
#include "paxos/core/message.h"
#include "paxos/core/options.h"
#include "paxos/core/outbox.h"
#include "paxos/core/output.h"
#include "paxos/core/record.h"
#include "paxos/core/types.h"

namespace decree::paxos {

class Learner {
 public:
  // Keeps a reference to the acceptor, which must outlive it.
  Learner(const Options& options, const RecoveredState& recovered, Acceptor& acceptor);

  // The leader of `ballot` says that all slots up to `chosen_index` are chosen.
  void OnAnnounced(NodeId leader, Ballot ballot, Slot chosen_index, Time now);
  // `source` knows all slots up to `chosen_index` to be chosen; what is missing then is to be fetched.
  void OnKnownElsewhere(NodeId source, Slot chosen_index, Time fetch_at);
  // A value that is chosen for certain.
  void Learn(Slot slot, const EntryPtr& entry, Outbox& outbox);
  void OnFetchAnswer(const FetchAnswer& answer, Time now, Outbox& outbox);

  // Advances the chosen index over everything that is known by now; true if it moved.
  bool Advance();
  // Fetches what a gap lacks, once it has been open long enough.
  void FetchMissing(Time now, NodeId self, Outbox& outbox);
  // Hands out what is chosen and durable here, in slot order.
  void EmitDurable(const Outbox& outbox, Output& out);
  // Adds the chosen index to a batch that is being written anyway.
  void NoteChosenIndex(Outbox& outbox);

  // All slots up to here are chosen, and their values known here.
  Slot chosen_index() const { return chosen_index_; }
  // The last slot handed out by EmitDurable.
  Slot emitted() const { return emitted_; }
  // The highest slot that somebody said is chosen.
  Slot known_elsewhere() const { return target_; }
  // When FetchMissing has something to do; kTimeNever if there is no gap.
  Time NextDeadline() const { return fetch_at_; }

  // The values from `first` to `last`, as many as a page holds, of those that are in memory.
  FetchAnswer MakeAnswer(Slot first, Slot last) const;

 private:
  bool IsKnownChosen(Slot slot) const;

  const Options options_;
  Acceptor& acceptor_;
  Slot chosen_index_;
  Slot emitted_;
  Slot noted_;  // the chosen index last given to the log

  // The latest announcement of the highest ballot.
  Ballot announced_ballot_;
  Slot announced_;

  Slot target_;  // somebody knows the slots up to here
  NodeId source_;
  Time fetch_at_ = kTimeNever;
};

}  // namespace decree::paxos
