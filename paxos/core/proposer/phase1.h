#pragma once
// Phase 1 of one ballot: collects Promises, page by page, until a quorum's are complete.
//
// The votes that they report decide what may be proposed: for each slot the one of the highest
// ballot. ("Paxos Made Simple", §2.2; rule 2.)

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "paxos/base/time.h"
#include "paxos/core/protocol/entry_assembly.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Phase1 {
 public:
  explicit Phase1(const Options& options) : options_(options) {}

  // Votes are wanted from `first_slot` on.
  void Start(Ballot ballot, Slot first_slot);

  // Takes a page in. Returns from where that acceptor's next page is to be asked for; nullopt if there is none,
  // or if the page is not the one that was expected.
  std::optional<LogPosition> OnPromise(NodeId from, const Promise& promise, Time now);

  // Every page is in from a phase-1 quorum of this configuration, none of which knows a slot above
  // `chosen_index` to be chosen: their votes above it are all there is. What others promised, or
  // know, does not bind (rule 2).
  bool IsComplete(const Configuration& configuration, Slot chosen_index) const;
  // The last slot with a vote of such an acceptor; kNoSlot if there is none.
  Slot LastVote(const Configuration& configuration, Slot chosen_index) const;
  // The position from which this acceptor still owes votes; nullopt if its promise is complete.
  std::optional<LogPosition> WantedFrom(NodeId node) const;
  // How large its next page should be: as large as comes within a retransmission time, so that neither a slow link
  // keeps us waiting for a sign of life, nor a long one for many of them.
  uint64_t PageBytes(NodeId node) const;
  bool HasPromised(NodeId node) const { return promisers_.contains(node); }

  Ballot ballot() const { return ballot_; }
  // The vote of the highest ballot reported for each slot; one flagged chosen wins over all.
  const std::map<Slot, Vote>& votes() const { return votes_; }

 private:
  struct Promiser {
    LogPosition wanted;  // where its next page begins
    Slot chosen_index;   // the highest that it named
    bool complete = false;
    Slot last_vote;
    size_t bytes = 0;  // of its votes
    EntryAssembly partial;
    Time page_at;  // when the last page came, and the next was asked for
    uint64_t page_bytes = 0;
  };

  void AdaptPage(Promiser& promiser, Time now) const;
  void TakeVote(const Vote& vote);
  // False if it does not follow on what is there.
  bool TakePart(const VotePart& part, Promiser& promiser);
  // Whether this promise counts towards the quorum.
  static bool Counts(const Promiser& promiser, Slot chosen_index) {
    return promiser.complete && promiser.chosen_index <= chosen_index;
  }

  const Options options_;
  Ballot ballot_;
  Slot first_slot_;
  std::map<NodeId, Promiser> promisers_;
  std::map<Slot, Vote> votes_;
};

}  // namespace decree::paxos
