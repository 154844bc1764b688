#include "paxos/core/invariants.h"

#include <glog/logging.h>

namespace decree::paxos {
namespace {

void CheckVotes(const Replica& replica) {
  const Acceptor& acceptor = replica.acceptor();
  for (Slot slot = acceptor.dropped_index().Next(); slot <= acceptor.last_slot(); ++slot) {
    const SlotVote* const vote = acceptor.VoteAt(slot);
    if (vote == nullptr) {
      CHECK_GT(slot, replica.chosen_index()) << "a chosen slot without a value";
      continue;
    }
    CHECK_LE(vote->ballot, acceptor.promised()) << "slot " << slot;
    CHECK(vote->chosen || slot > replica.chosen_index()) << "slot " << slot;
    CHECK(vote->chosen || !vote->ballot.IsNone()) << "slot " << slot;
  }
}

void CheckLeader(const Replica& replica, Time now) {
  const bool proposes = replica.proposer().state() == Proposer::State::kProposing;
  if (replica.role() == Role::kLeader) {
    CHECK(proposes) << "a leader whose phase 1 is not complete";
    CHECK_EQ(replica.leader(), replica.self().node);
    CHECK(replica.configuration().IsVoter(replica.self().node));
    CHECK_LE(replica.promised(), replica.ballot()) << "a leader that promised a higher ballot";
  } else {
    CHECK(!proposes) << "proposes as a " << RoleName(replica.role());
    CHECK(replica.LeaseLeft(now) == Duration::zero());
    CHECK_NE(replica.leader(), replica.self().node);
  }
  if (replica.role() == Role::kFollower) {
    CHECK(replica.proposer().state() == Proposer::State::kIdle);
    CHECK(replica.proposer().queue().empty()) << "commands wait where nobody proposes";
  }
}

}  // namespace

void CheckInvariants(const Replica& replica, Time now) {
  CHECK_LE(replica.acceptor().dropped_index(), replica.applied());
  CHECK_LE(replica.applied(), replica.learner().emitted());
  CHECK_LE(replica.learner().emitted(), replica.chosen_index());
  CHECK(replica.configuration().Validate().ok()) << replica.configuration().Validate();
  CheckVotes(replica);
  CheckLeader(replica, now);
}

}  // namespace decree::paxos
