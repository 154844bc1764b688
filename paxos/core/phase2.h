#pragma once
// Phase 2 of one ballot: the slots in flight, and who has accepted them.
//
// Pipelined: any number of slots may be in flight, and one Accept carries all that were proposed
// since the last (rule 3). A slot leaves when a quorum accepted it, or when it is learnt otherwise.

#include <cstddef>
#include <map>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/membership.h"
#include "paxos/core/message.h"
#include "paxos/core/options.h"
#include "paxos/core/outbox.h"
#include "paxos/core/tally.h"
#include "paxos/core/types.h"

namespace decree::paxos {

class Phase2 {
 public:
  explicit Phase2(const Options& options) : options_(options) {}

  // Nothing is in flight afterwards.
  void Start(Ballot ballot);

  // Puts a value in flight; the next Send carries it.
  void Propose(Slot slot, EntryPtr entry);
  // Sends what was proposed since the last Send to all voters.
  void Send(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox);
  // Counts the votes; returns the slots that have a quorum now, which leave.
  std::vector<SlotEntry> OnAccepted(NodeId from, const Accepted& accepted,
                                    const Configuration& configuration);
  // Everything up to here is chosen, however it was learnt.
  void OnChosen(Slot chosen_index);
  // Sends again what has waited too long, to those that have not accepted it.
  void Retransmit(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox);
  Time NextDeadline() const;

  size_t slots() const { return in_flight_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct InFlight {
    EntryPtr entry;
    Tally accepted;
  };
  using Slots = std::map<Slot, InFlight>;

  void Remove(Slots::iterator slot);

  const Options options_;
  Ballot ballot_;
  Slots in_flight_;
  size_t bytes_ = 0;
  std::vector<SlotEntry> unsent_;
  Time retransmit_at_ = kTimeNever;
};

}  // namespace decree::paxos
