#pragma once
// The acceptor: remembers what this node has promised and accepted, and answers for it.
//
// It refuses everything below its promised ballot and forgets no vote above its dropped index; the safety of
// the protocol rests on these two. ("Paxos Made Simple", §2.2; rule 1.) It also owns the lease that
// it granted (rule 7).
//
// Passive, single-threaded, no I/O: `Replica` drives it. What must survive a restart goes to the
// outbox as a record, and the answers that rest on those records wait for their ticket.

#include <cstddef>
#include <optional>
#include <utility>

#include "paxos/base/time.h"
#include "paxos/core/acceptor/lease.h"
#include "paxos/core/acceptor/slot_window.h"
#include "paxos/core/acceptor/value_conflict.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/record.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

// What the acceptor holds for a slot that it has not dropped.
struct SlotVote {
  Ballot ballot;        // none if the value was only ever learnt as chosen
  EntryPtr entry;       // null: nothing was accepted here
  bool chosen = false;  // the value is chosen, and never changes again
  // Under which this node itself knows it to be chosen: as the leader that counted the votes, or told so by the
  // leader of its own vote's ballot. None: from others, which says nothing of the ballot.
  Ballot chosen_under;
  Ticket ticket;  // the newest record of this slot; when durable, so is the vote
};

class Acceptor {
 public:
  // `refuse_until`: no promise is given before (rule 7, restart).
  Acceptor(const Options& options, const RecoveredState& recovered, Time refuse_until);

  // Phase 1. Promises the ballot unless a higher one was promised or a lease forbids it, and reports
  // a page of the votes from its position on that lie above `chosen_index`. A repeated Prepare is
  // answered again. True if it led to a promise or a page that was not given before.
  bool OnPrepare(const Envelope& envelope, const Prepare& prepare, Slot chosen_index, Time now, Outbox& outbox);
  // Phase 2. Votes for every entry within the window unless a higher ballot was promised. Returns
  // false if it was refused.
  bool OnAccept(const Envelope& envelope, const Accept& accept, Slot chosen_index, Outbox& outbox);
  // A leader's sign of life, which grants it a lease of this length. Returns false if a higher
  // ballot was promised.
  bool OnHeartbeat(const Envelope& envelope, const Heartbeat& heartbeat, Slot chosen_index, Duration lease, Time now,
                   Outbox& outbox);
  void OnWaiver(NodeId from, const Waiver& waiver);

  // The highest ballot promised, whether or not the promise is durable yet.
  Ballot promised() const { return promised_; }
  // How long a promise to `node` is ruled out by a lease.
  Duration LeaseLeftAgainst(NodeId node, Time now) const { return granted_.LeftAgainst(node, now); }

  // ---- Votes; the learner marks and adds what is chosen ----

  // Null where the slot was dropped, and where nothing was accepted.
  const SlotVote* VoteAt(Slot slot) const;
  // What was accepted at this slot is chosen, under the ballot under which it was accepted.
  void MarkChosen(Slot slot);
  // Votes were counted: `entry` is chosen at this slot, under `ballot`.
  void SetChosen(Slot slot, const EntryPtr& entry, Ballot ballot, Outbox& outbox);
  // `from` says that `entry` is chosen at this slot, whatever was accepted there. False, and nothing changes, if
  // another value is known to be chosen.
  bool AdoptChosen(Slot slot, const EntryPtr& entry, NodeId from, Outbox& outbox);
  // What was met since the last call; of several the one that proves most.
  std::optional<ValueConflict> TakeConflict() { return std::exchange(conflict_, std::nullopt); }

  // Slots up to here are chosen and applied, and no longer kept in memory.
  Slot dropped_index() const { return votes_.first().Previous(); }
  // The last slot with a vote, or the dropped index.
  Slot last_slot() const { return votes_.end().Previous(); }
  size_t bytes() const { return bytes_; }
  // Drops the first slot that is left, which must be chosen.
  void DropFirst();

 private:
  // Whether the sender may act under this ballot: it is its own, and no higher one was promised, which it is told.
  bool MayAct(const Envelope& envelope, Ballot ballot, Outbox& outbox) const;
  void Refuse(const Envelope& envelope, Ballot refused, const std::string& reason, Outbox& outbox) const;
  // The promise counts at once; the caller sees to the record that it rests on.
  void RaisePromise(const Envelope& envelope, Ballot ballot);
  Promise MakePage(const Prepare& prepare, Slot chosen_index) const;
  // Takes the vote in; the ticket that it rests on, or nullopt if the slot cannot be voted on.
  std::optional<Ticket> VoteFor(const SlotEntry& proposal, Ballot ballot, Slot chosen_index, Outbox& outbox);
  // The same where the value is known to be chosen.
  std::optional<Ticket> VoteForChosen(const SlotVote& chosen, const SlotEntry& proposal, Ballot ballot);
  void NoteConflict(ValueConflict conflict);
  bool IsBeyondWindow(const SlotEntry& proposal, Slot chosen_index) const;
  void Set(SlotVote& vote, Ballot ballot, const EntryPtr& entry, Ticket ticket);

  const Options options_;
  Ballot promised_;        // Never goes down. Invariant: >= the ballot of every vote.
  Ticket promise_ticket_;  // the record that `promised_` rests on
  LogPosition next_page_;  // where the pages end that were served under `promised_`
  SlotWindow<SlotVote> votes_;
  size_t bytes_ = 0;  // of the entries in `votes_`
  GrantedLease granted_;
  std::optional<ValueConflict> conflict_;
};

}  // namespace decree::paxos
