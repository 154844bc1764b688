#pragma once
// The learner: finds out which values are chosen, closes gaps, and hands chosen entries out in order.
//
// It trusts a leader's chosen index only for what this node accepted under that very leader's ballot;
// an older vote at the same slot may be for another value (rule 4). Everything else it fetches
// (catch_up.h).

#include "paxos/base/time.h"
#include "paxos/core/acceptor/acceptor.h"
#include "paxos/core/learner/catch_up.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/record.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Learner {
 public:
  // Keeps a reference to the acceptor, which must outlive it.
  Learner(const Options& options, const RecoveredState& recovered, Acceptor& acceptor);

  // The leader of `ballot`, in this life of it, says that all slots up to `chosen_index` are chosen.
  void OnAnnounced(NodeId leader, Life life, Ballot ballot, Slot chosen_index, Time now);
  // A peer, in this life of it, knows all slots up to `chosen_index` to be chosen, and has those above its
  // trim point. What is missing here is fetched from `fetch_at` on.
  void OnKnownElsewhere(NodeId peer, Life life, Slot chosen_index, Slot trim_point, Time now, Time fetch_at);
  // A value that a quorum of this leader has voted for under its ballot.
  void OnCounted(Slot slot, const EntryPtr& entry, Ballot ballot, Outbox& outbox);
  // `from` says that the value is chosen; it is refused if another one is known to be.
  void Learn(Slot slot, const EntryPtr& entry, NodeId from, Outbox& outbox);
  void OnFetchAnswer(NodeId from, const FetchAnswer& answer, Time now, Outbox& outbox);

  // Advances the chosen index over everything that is known by now; true if it moved.
  bool Advance();
  // Fetches what a gap lacks, once it has been open long enough.
  void FetchMissing(Time now, Outbox& outbox) { catch_up_.Pump(chosen_index_, now, outbox); }
  // A leader learns by counting votes: it takes no values from others, nor what they announced (rule 4).
  void OnLeading();
  // A node that ceases to lead, or to stand, may lack some of the chosen slots.
  void OnFollowing(Time now) { catch_up_.BeginBy(now); }
  // Hands out what is chosen and durable here, in slot order.
  void EmitDurable(const Outbox& outbox, Output& out);
  // Adds the chosen index to a batch that is being written anyway.
  void NoteChosenIndex(Outbox& outbox);

  // All slots up to here are chosen, and their values known here.
  Slot chosen_index() const { return chosen_index_; }
  // The last slot handed out by EmitDurable.
  Slot emitted() const { return emitted_; }
  // When FetchMissing has something to do; kTimeNever if there is no gap.
  Time NextDeadline() const { return catch_up_.NextDeadline(); }

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

  CatchUp catch_up_;
};

}  // namespace decree::paxos
