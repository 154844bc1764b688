#pragma once
// Phase 2 of one ballot: the slots in flight, and who has accepted them.
//
// Pipelined: any number of slots may be in flight, and one Accept carries all that were proposed
// since the last (rule 3). A slot leaves when a quorum accepted it, or when it is learnt otherwise.
//
// A voter that lags gets nothing new unless it is needed: what the others choose without it would pile up on
// the way to it, before what it lacks. It catches up first.
//
// What a voter does not answer in time it is asked for, and sent again if it lacks it; see Resend.

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/proposer/resend.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/tally.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Phase2 {
 public:
  explicit Phase2(const Options& options) : options_(options) {}

  // Nothing is in flight afterwards.
  void Start(Ballot ballot);

  // Puts a value in flight; the next Send carries it.
  void Propose(Slot slot, EntryPtr entry);
  // Sends what was proposed since the last Send to all voters that are not too far behind.
  void Send(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox);
  // This voter knows all slots up to there to be chosen. One that has just caught up has dropped what lay beyond
  // its window, or was spared it: if it was asked about that in vain, it is asked again without waiting.
  void OnVoterKnows(NodeId voter, Slot chosen_index);
  // Counts the votes; returns the slots that have a quorum now, which leave. What the voter was asked and has
  // not accepted is sent again with the next Retransmit.
  std::vector<SlotEntry> OnAccepted(NodeId from, const Accepted& accepted, const Configuration& configuration);
  // Everything up to here is chosen: nothing of it is still in flight, for a leader learns by counting votes,
  // and takes no values from others (rule 4).
  void CheckChosen(Slot chosen_index) const;
  // Asks those that have not accepted what has waited too long, and sends again what they lack.
  void Retransmit(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox);
  Time NextDeadline() const;

  size_t slots() const { return in_flight_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct InFlight {
    EntryPtr entry;
    Tally accepted;
    Time overdue_at = kTimeNever;  // never before it was sent
  };
  using Slots = std::map<Slot, InFlight>;
  // The first that this voter has not accepted.
  Slots::const_iterator Oldest(NodeId voter) const;
  void Ask(NodeId voter, Slots::const_iterator oldest, Resend& resend, Slot chosen_index, Time now, Outbox& outbox);
  void SendCopy(NodeId voter, Slots::const_iterator oldest, Resend& resend, Slot chosen_index, Time now,
                Outbox& outbox);
  void OnAnswer(NodeId voter, uint64_t inquiry);
  void AskSoon(NodeId voter);
  void Remove(Slots::iterator slot);
  void NoteRecent(const std::vector<SlotEntry>& entries, Slot chosen_index);
  bool IsFarBehind(NodeId voter) const;

  const Options options_;
  Ballot ballot_;
  Slots in_flight_;
  size_t bytes_ = 0;
  std::vector<SlotEntry> unsent_;

  // The newest slots with their bytes: those in flight, and of those before as many as a voter may lack.
  std::deque<std::pair<Slot, size_t>> recent_;
  size_t recent_bytes_ = 0;
  Slot horizon_;                      // the last before those; whoever lacks it is far behind
  std::map<NodeId, Slot> known_;      // to be chosen, by voter
  std::map<NodeId, Resend> resends_;  // by voter, from its first question on
  uint64_t inquiries_ = 0;
  Time retransmit_at_ = kTimeNever;  // when there is something to ask or to send again, or before
};

}  // namespace decree::paxos
