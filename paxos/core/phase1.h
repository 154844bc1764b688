#pragma once
// Phase 1 of one ballot: collects Promises, page by page, until a quorum's are complete.
//
// The votes that they report decide what may be proposed: for each slot the one of the highest
// ballot. ("Paxos Made Simple", §2.2; rule 2.)

#include <cstddef>
#include <map>
#include <optional>

#include "paxos/core/membership.h"
#include "paxos/core/message.h"
#include "paxos/core/types.h"

namespace decree::paxos {

class Phase1 {
 public:
  // `bytes_max`: of the votes of one acceptor; it never has more.
  explicit Phase1(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Votes are wanted from `first_slot` on.
  void Start(Ballot ballot, Slot first_slot);

  // Takes a page in. Returns the slot from which that acceptor's next page is to be asked for;
  // nullopt if there is none, or if the page is not the one that was expected.
  std::optional<Slot> OnPromise(NodeId from, const Promise& promise);

  // Every page is in from a phase-1 quorum of this configuration, none of which knows a slot above
  // `chosen_index` to be chosen: their votes above it are all there is. What others promised, or
  // know, does not bind (rule 2).
  bool IsComplete(const Configuration& configuration, Slot chosen_index) const;
  // The last slot with a vote of such an acceptor; kNoSlot if there is none.
  Slot LastVote(const Configuration& configuration, Slot chosen_index) const;
  // From which slot this acceptor still owes votes; nullopt if its promise is complete.
  std::optional<Slot> WantedFrom(NodeId node) const;
  bool HasPromised(NodeId node) const { return promisers_.contains(node); }

  Ballot ballot() const { return ballot_; }
  // The vote of the highest ballot reported for each slot; one flagged chosen wins over all.
  const std::map<Slot, Vote>& votes() const { return votes_; }

 private:
  struct Promiser {
    Slot wanted;        // where its next page begins
    Slot chosen_index;  // the highest that it named
    bool complete = false;
    Slot last_vote;
    size_t bytes = 0;  // of its votes
  };

  void TakeVote(const Vote& vote);
  // Whether this promise counts towards the quorum.
  static bool Counts(const Promiser& promiser, Slot chosen_index) {
    return promiser.complete && promiser.chosen_index <= chosen_index;
  }

  const size_t bytes_max_;
  Ballot ballot_;
  Slot first_slot_;
  std::map<NodeId, Promiser> promisers_;
  std::map<Slot, Vote> votes_;
};

}  // namespace decree::paxos
