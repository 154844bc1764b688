// One test for each claim of "Paxos Made Simple" (Lamport, 2001) that this system relies on, by the
// section that makes it, and for the claims of its followers where we use them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/replica_cluster.h"

namespace decree::paxos {
namespace {

using check::ReplicaCluster;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

template <typename Kind>
std::vector<Envelope> Trace(const ReplicaCluster& cluster) {
  std::vector<Envelope> found;
  for (const Envelope& envelope : cluster.trace()) {
    if (std::holds_alternative<Kind>(envelope.message)) found.push_back(envelope);
  }
  return found;
}

// A value that was accepted by a minority only, by a leader that then died: {leader, holder, other}.
struct Orphan {
  uint32_t leader;
  uint32_t holder;
  uint32_t other;
};
Orphan AcceptAtOneFollower(ReplicaCluster& cluster, const std::string& text) {
  const uint32_t leader = cluster.ElectAny();
  const Orphan orphan{leader, leader % 3 + 1, (leader + 1) % 3 + 1};
  cluster.passes = [&](const Envelope& e) { return e.from == NodeId(orphan.leader) && e.to == NodeId(orphan.holder); };
  cluster.Propose(leader, text);
  cluster.DeliverAll();
  cluster.Crash(leader);
  cluster.LoseNothing();
  return orphan;
}

// §2.2, P1: an acceptor accepts the first proposal that it receives.
TEST(PaperRulesTest, P1_AnAcceptorAcceptsTheFirstProposal) {
  ReplicaCluster cluster(3);
  const Accept accept{.ballot = B(1, 2), .chosen_index = {}, .entries = {{kFirstSlot, Value("v", B(1, 2))}}};
  const Output out = cluster.Inject(1, From(2, 1, accept));
  EXPECT_EQ(cluster.replica(1).acceptor().VoteAt(kFirstSlot)->ballot, B(1, 2));
}

// §2.2, P1a: an acceptor accepts a proposal numbered n iff it has not responded to a prepare request
// having a number greater than n.
TEST(PaperRulesTest, P1a_APromiseExcludesLowerProposals) {
  ReplicaCluster cluster(3);
  cluster.Inject(1, From(3, 1, Prepare{.ballot = B(5, 3), .position = {kFirstSlot}}));
  const Accept low{.ballot = B(4, 2), .chosen_index = {}, .entries = {{kFirstSlot, Value("low", B(4, 2))}}};
  cluster.Inject(1, From(2, 1, low));
  EXPECT_EQ(cluster.replica(1).acceptor().VoteAt(kFirstSlot), nullptr);
  const Accept same{.ballot = B(5, 3), .chosen_index = {}, .entries = {{kFirstSlot, Value("same", B(5, 3))}}};
  cluster.Inject(1, From(3, 1, same));
  EXPECT_EQ(cluster.replica(1).acceptor().VoteAt(kFirstSlot)->ballot, B(5, 3));
}

// §2.2, P2: if a value is chosen, every higher-numbered proposal that is chosen has that value.
TEST(PaperRulesTest, P2_AChosenValueStaysThroughEveryLaterBallot) {
  ReplicaCluster cluster(3);
  uint32_t leader = cluster.ElectAny();
  cluster.Propose(leader, "chosen");
  cluster.DeliverAll();
  Ballot last;
  for (int round = 0; round < 4; ++round) {
    cluster.Crash(leader);
    const uint32_t next = cluster.ElectAny();
    ASSERT_NE(next, 0u);
    cluster.Pass(Seconds(1));
    EXPECT_GT(cluster.replica(next).ballot(), last);
    last = cluster.replica(next).ballot();
    EXPECT_THAT(cluster.Applied(next), ElementsAre("chosen"));
    cluster.Restart(leader);
    cluster.Pass(Seconds(1));
    leader = next;
  }
}

// §2.2, P2c: the proposer takes the value of the highest-numbered proposal among the responses...
TEST(PaperRulesTest, P2c_TheReportedValueIsProposedAgain) {
  ReplicaCluster cluster(3);
  const Orphan orphan = AcceptAtOneFollower(cluster, "orphan");
  ASSERT_NE(cluster.ElectAny(), 0u);
  cluster.Pass(Seconds(1));
  EXPECT_THAT(cluster.Applied(orphan.holder), ElementsAre("orphan"));
  EXPECT_THAT(cluster.Applied(orphan.other), ElementsAre("orphan"));
}

// ... or is free to propose any value if the responders reported none.
TEST(PaperRulesTest, P2c_WithoutAReportAnyValueMayBeProposed) {
  ReplicaCluster cluster(3);
  const Orphan orphan = AcceptAtOneFollower(cluster, "orphan");
  cluster.Crash(orphan.holder);
  cluster.Restart(orphan.leader);
  // The first leader's own vote is durable, so it is found again without the holder.
  ASSERT_NE(cluster.ElectAny(), 0u);
  cluster.Pass(Seconds(1));
  EXPECT_THAT(cluster.Applied(orphan.other), ElementsAre("orphan"));

  ReplicaCluster fresh(3);
  const uint32_t leader = fresh.ElectAny();
  fresh.Propose(leader, "free");
  fresh.Pass(Milliseconds(300));
  EXPECT_THAT(fresh.Applied(leader), ElementsAre("free"));
}

// §2.2: an acceptor needs to remember the highest proposal accepted and the highest promised even if
// it fails and restarts.
TEST(PaperRulesTest, AnAcceptorRemembersThroughARestart) {
  ReplicaCluster cluster(3);
  const Accept accept{.ballot = B(3, 2), .chosen_index = {}, .entries = {{kFirstSlot, Value("v", B(3, 2))}}};
  cluster.Inject(1, From(2, 1, accept));
  cluster.Inject(1, From(3, 1, Prepare{.ballot = B(8, 3), .position = {kFirstSlot}}));
  cluster.Crash(1);
  cluster.Restart(1);
  EXPECT_EQ(cluster.replica(1).promised(), B(8, 3));
  EXPECT_EQ(cluster.replica(1).acceptor().VoteAt(kFirstSlot)->ballot, B(3, 2));
}

// §2.2: a proposer must never issue two proposals with the same number, also after a restart.
TEST(PaperRulesTest, NoBallotIsUsedTwice) {
  ReplicaCluster cluster(3);
  std::vector<Ballot> used;
  for (int round = 0; round < 5; ++round) {
    const uint32_t leader = cluster.ElectAny();
    ASSERT_NE(leader, 0u);
    const Ballot ballot = cluster.replica(leader).ballot();
    EXPECT_THAT(used, testing::Not(Contains(ballot)));
    used.push_back(ballot);
    for (uint32_t node = 1; node <= 3; ++node) cluster.Crash(node);
    for (uint32_t node = 1; node <= 3; ++node) cluster.Restart(node);
  }
}

// The proposer's own promise is durable before anybody else hears of its ballot.
TEST(PaperRulesTest, NoPrepareLeavesBeforeItsOwnPromiseIsDurable) {
  ReplicaCluster cluster(3);
  for (uint32_t node = 1; node <= 3; ++node) cluster.HoldRecords(node);
  cluster.Pass(Seconds(3));
  EXPECT_THAT(Trace<Prepare>(cluster), IsEmpty());
  EXPECT_FALSE(Trace<Poll>(cluster).empty());
}

// §2.3: a learner learns a value when a majority has accepted it, not before.
TEST(PaperRulesTest, NothingIsChosenByAMinority) {
  ReplicaCluster cluster(5);
  const uint32_t leader = cluster.ElectAny();
  cluster.passes = [&](const Envelope& e) {
    return e.to == NodeId(leader % 5 + 1) || e.from == NodeId(leader % 5 + 1);
  };
  cluster.Propose(leader, "minority");
  cluster.Pass(Milliseconds(400));
  EXPECT_THAT(cluster.Applied(leader), IsEmpty());
}

// §2.4: progress needs one distinguished proposer; dueling candidates give way in the end.
TEST(PaperRulesTest, DuelsEnd) {
  ReplicaCluster cluster(5);
  for (int round = 0; round < 5; ++round) {
    const uint32_t leader = cluster.ElectAny();
    ASSERT_NE(leader, 0u);
    cluster.Crash(leader);
    cluster.Restart(leader);
  }
  cluster.Pass(Seconds(5));
  const uint32_t leader = cluster.ElectAny();
  const Ballot ballot = cluster.replica(leader).ballot();
  cluster.Pass(Seconds(5));
  EXPECT_EQ(cluster.replica(leader).ballot(), ballot) << "leadership is stable without faults";
}

// §3: a new leader executes phase 1 once for infinitely many instances.
TEST(PaperRulesTest, Phase1RunsOncePerLeadership) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.ClearTrace();
  for (int i = 0; i < 20; ++i) {
    cluster.Propose(leader, "command-" + std::to_string(i));
    cluster.DeliverAll();
  }
  EXPECT_THAT(Trace<Prepare>(cluster), IsEmpty());
  EXPECT_EQ(cluster.Applied(leader).size(), 20u);
}

// §3: a new leader fills the holes below what was reported with no-ops, so that later commands can
// be executed.
TEST(PaperRulesTest, HolesAreClosedByNoOps) {
  Options options;
  options.slots_in_flight_max = 4;
  ReplicaCluster cluster(3, {}, options);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t holder = leader % 3 + 1;
  // The first slot reaches nobody but its leader, the second one follower.
  cluster.passes = [](const Envelope&) { return false; };
  cluster.Propose(leader, "lost");
  cluster.DeliverAll();
  cluster.passes = [&](const Envelope& e) { return e.to == NodeId(holder); };
  cluster.Propose(leader, "kept");
  cluster.DeliverAll();
  cluster.Crash(leader);
  cluster.LoseNothing();
  const uint32_t next = cluster.ElectAny();
  ASSERT_NE(next, 0u);
  cluster.Pass(Seconds(1));
  EXPECT_THAT(cluster.Applied(holder), ElementsAre("noop", "kept"));
  cluster.Propose(next, "later");
  cluster.Pass(Milliseconds(300));
  EXPECT_THAT(cluster.Applied(holder), ElementsAre("noop", "kept", "later"));
  // The leader that was lost learns that its first value never happened.
  cluster.Restart(leader);
  cluster.Pass(Seconds(3));
  EXPECT_THAT(cluster.Applied(leader), ElementsAre("noop", "kept", "later"));
}

// §3: commands may be proposed before earlier ones are known to be chosen.
TEST(PaperRulesTest, LaterSlotsNeedNotWaitForEarlierOnes) {
  Options options;
  options.slots_in_flight_max = 4;
  ReplicaCluster cluster(3, {}, options);
  const uint32_t leader = cluster.ElectAny();
  cluster.passes = [](const Envelope& e) { return !std::holds_alternative<Accepted>(e.message); };
  cluster.Propose(leader, "a");
  cluster.Propose(leader, "b");
  EXPECT_EQ(cluster.replica(leader).proposer().slots_in_flight(), 2u);
}

// "Flexible Paxos" (Howard, Malkhi, Spiegelman, 2016), §4: only phase-1 and phase-2 quorums need to
// meet each other.
TEST(PaperRulesTest, FlexibleQuorumsOnlyNeedToMeet) {
  Configuration configuration = Voters(5);
  configuration.q1 = 4;
  configuration.q2 = 2;
  ASSERT_TRUE(configuration.Validate().ok());
  ReplicaCluster cluster(5, configuration);
  const uint32_t leader = cluster.ElectAny();
  ASSERT_NE(leader, 0u);
  const uint32_t mate = leader % 5 + 1;
  cluster.passes = [&](const Envelope& e) {
    return (e.from == NodeId(leader) && e.to == NodeId(mate)) || (e.from == NodeId(mate) && e.to == NodeId(leader));
  };
  cluster.Propose(leader, "two-of-five");
  cluster.Pass(Milliseconds(300));
  EXPECT_THAT(cluster.Applied(leader), ElementsAre("two-of-five"));
  // But two of five can elect nobody.
  configuration.q1 = 3;
  EXPECT_FALSE(configuration.Validate().ok());
}

// Rule 4 of ours: a vote under an older ballot is not proof of what was chosen.
TEST(PaperRulesTest, AVoteOfAnOlderBallotIsNotTakenAsChosen) {
  ReplicaCluster cluster(3);
  const Accept old{.ballot = B(3, 2), .chosen_index = {}, .entries = {{kFirstSlot, Value("old", B(3, 2))}}};
  cluster.Inject(1, From(2, 1, old));
  cluster.Inject(1, From(3, 1, Heartbeat{.ballot = B(7, 3), .probe = 1, .chosen_index = Slot(1)}));
  EXPECT_EQ(cluster.replica(1).chosen_index(), kNoSlot);
  const Accept same{.ballot = B(7, 3), .chosen_index = Slot(1), .entries = {{kFirstSlot, Value("new", B(7, 3))}}};
  cluster.Inject(1, From(3, 1, same));
  EXPECT_EQ(cluster.replica(1).chosen_index(), Slot(1));
  EXPECT_THAT(cluster.Applied(1), ElementsAre("new"));
}

// A late message of an earlier ballot changes nothing, whenever it comes (§2.2: any request may be
// ignored without harm, and messages may take arbitrarily long).
TEST(PaperRulesTest, LateAndRepeatedMessagesAreHarmless) {
  ReplicaCluster cluster(3);
  uint32_t leader = cluster.ElectAny();
  cluster.Propose(leader, "a");
  cluster.Pass(Milliseconds(100));
  const std::vector<Envelope> old = cluster.trace();
  cluster.Crash(leader);
  leader = cluster.ElectAny();
  cluster.Propose(leader, "b");
  cluster.Pass(Milliseconds(300));
  for (int round = 0; round < 2; ++round) {
    for (const Envelope& envelope : old) {
      if (envelope.to == NodeId(leader)) cluster.Inject(leader, envelope);
    }
  }
  cluster.Pass(Seconds(2));
  EXPECT_THAT(cluster.Applied(leader), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace decree::paxos
