#include "paxos/core/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/replica_cluster.h"

namespace decree::paxos {
namespace {

using check::ReplicaCluster;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

bool IsBetween(const Envelope& envelope, uint32_t a, uint32_t b) {
  return (envelope.from == NodeId(a) && envelope.to == NodeId(b)) ||
         (envelope.from == NodeId(b) && envelope.to == NodeId(a));
}

// Cuts a node off from all others.
auto Without(uint32_t node) {
  return [node](const Envelope& envelope) { return envelope.from != NodeId(node) && envelope.to != NodeId(node); };
}

TEST(ReplicaTest, ElectsALeaderAndChoosesACommandEverywhere) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  ASSERT_NE(leader, 0u);
  cluster.Propose(leader, "put");
  cluster.Pass(Milliseconds(500));
  for (uint32_t node = 1; node <= 3; ++node) {
    EXPECT_THAT(cluster.Applied(node), ElementsAre("put")) << "n" << node;
    EXPECT_EQ(cluster.replica(node).leader(), NodeId(leader));
  }
}

TEST(ReplicaTest, OneNodeAloneIsACluster) {
  ReplicaCluster cluster(1);
  ASSERT_TRUE(cluster.Elect(1));
  cluster.Propose(1, "put");
  EXPECT_THAT(cluster.Applied(1), ElementsAre("put"));
  cluster.Read(1, 7);
  EXPECT_THAT(cluster.Granted(1), SizeIs(1));
}

TEST(ReplicaTest, OneNodeAloneWaitsForItsDisk) {
  ReplicaCluster cluster(1);
  ASSERT_TRUE(cluster.Elect(1));
  cluster.HoldRecords(1);
  cluster.Propose(1, "put");
  EXPECT_THAT(cluster.Applied(1), IsEmpty());
  cluster.ReleaseRecords(1);
  EXPECT_THAT(cluster.Applied(1), ElementsAre("put"));
}

TEST(ReplicaTest, FollowerTakesNoProposals) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  EXPECT_EQ(cluster.Propose(leader % 3 + 1, "put"), ProposeResult::kNotLeader);
}

TEST(ReplicaTest, RefusesACommandAboveTheLimit) {
  Options options;
  options.command_bytes_max = 10;
  ReplicaCluster cluster(1, {}, options);
  ASSERT_TRUE(cluster.Elect(1));
  EXPECT_EQ(cluster.Propose(1, "12345678901"), ProposeResult::kTooLarge);
}

TEST(ReplicaTest, RefusesCommandsWhenTooManyWait) {
  Options options;
  options.command_bytes_max = 10;
  options.pending_bytes_max = 75;
  ReplicaCluster cluster(3, {}, options);
  const uint32_t leader = cluster.ElectAny();
  cluster.passes = Without(leader);
  cluster.Propose(leader, "in-flight");
  EXPECT_EQ(cluster.Propose(leader, "waits-1"), ProposeResult::kQueued);
  EXPECT_EQ(cluster.Propose(leader, "waits-2"), ProposeResult::kOverloaded);
}

TEST(ReplicaTest, NewLeaderFinishesWhatADeadOneBegan) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t survivor = leader % 3 + 1;
  const uint32_t other = survivor % 3 + 1;
  // Only one follower hears of it, and the leader never learns that.
  cluster.passes = [&](const Envelope& e) {
    return !IsBetween(e, leader, other) && !(e.from == NodeId(survivor) && e.to == NodeId(leader));
  };
  cluster.Propose(leader, "half-done");
  cluster.DeliverAll();
  cluster.Crash(leader);
  cluster.LoseNothing();
  ASSERT_NE(cluster.ElectAny(), 0u);
  cluster.Pass(Seconds(1));
  EXPECT_THAT(cluster.Applied(survivor), ElementsAre("half-done"));
  EXPECT_THAT(cluster.Applied(other), ElementsAre("half-done"));
}

TEST(ReplicaTest, IsolatedLeaderStepsDownAndDropsWhatWaits) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.passes = Without(leader);
  cluster.Pass(Milliseconds(800));
  EXPECT_NE(cluster.replica(leader).role(), Role::kLeader);
  EXPECT_EQ(cluster.replica(leader).pending_bytes(), 0u);
}

TEST(ReplicaTest, NodeBackFromAPartitionDoesNotDeposeAHealthyLeader) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t lost = leader % 3 + 1;
  cluster.passes = Without(lost);
  cluster.Pass(Seconds(10));
  const Ballot before = cluster.replica(leader).ballot();
  cluster.LoseNothing();
  cluster.Pass(Seconds(3));
  EXPECT_EQ(cluster.replica(leader).role(), Role::kLeader);
  EXPECT_EQ(cluster.replica(leader).ballot(), before);
}

TEST(ReplicaTest, StragglerCatchesUp) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t lost = leader % 3 + 1;
  cluster.passes = Without(lost);
  for (const char* text : {"a", "b", "c"}) {
    cluster.Propose(leader, text);
    cluster.Pass(Milliseconds(20));
  }
  EXPECT_THAT(cluster.Applied(leader), ElementsAre("a", "b", "c"));
  EXPECT_THAT(cluster.Applied(lost), IsEmpty());
  cluster.LoseNothing();
  cluster.Pass(Seconds(3));
  EXPECT_THAT(cluster.Applied(lost), ElementsAre("a", "b", "c"));
}

TEST(ReplicaTest, WholeClusterRestartsAndKeepsEverything) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.Propose(leader, "a");
  cluster.Pass(Milliseconds(50));
  cluster.Propose(leader, "b");
  cluster.Pass(Milliseconds(50));
  for (uint32_t node = 1; node <= 3; ++node) cluster.Crash(node);
  for (uint32_t node = 1; node <= 3; ++node) {
    cluster.LoseApplied(node);
    cluster.Restart(node);
  }
  ASSERT_NE(cluster.ElectAny(), 0u);
  cluster.Pass(Seconds(1));
  for (uint32_t node = 1; node <= 3; ++node) {
    EXPECT_THAT(cluster.Applied(node), ElementsAre("a", "b")) << "n" << node;
  }
}

TEST(ReplicaTest, LeaderWithAStuckDiskStepsDown) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.HoldRecords(leader);
  cluster.Propose(leader, "slow");
  cluster.Pass(Seconds(3));
  EXPECT_NE(cluster.replica(leader).role(), Role::kLeader);
  const uint32_t next = cluster.ElectAny();
  EXPECT_NE(next, leader);
  EXPECT_THAT(cluster.Applied(next), ElementsAre("slow"));
}

TEST(ReplicaTest, LeaderThatWasHeldUpStepsDown) {
  ReplicaCluster cluster(1);
  ASSERT_TRUE(cluster.Elect(1));
  Output out;
  cluster.replica(1).OnTick(cluster.now() + Seconds(1), out);
  EXPECT_EQ(cluster.replica(1).role(), Role::kFollower);
}

TEST(ReplicaTest, HandsLeadershipOverWithoutAnElectionTimeout) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.Pass(Milliseconds(300));
  Output out;
  ASSERT_EQ(cluster.replica(leader).TransferLeadership(kNoNode, cluster.now(), out), TransferResult::kBegun);
  EXPECT_EQ(cluster.replica(leader).role(), Role::kFollower);
  for (const Envelope& envelope : out.messages) {
    cluster.Inject(envelope.to.value(), envelope);
  }
  cluster.Pass(Milliseconds(50));
  const uint32_t heir = cluster.ElectAny(Milliseconds(10));
  EXPECT_NE(heir, 0u);
  EXPECT_NE(heir, leader);
}

TEST(ReplicaTest, AHeirNeedsNoWaiverButItsOwnPrepares) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const NodeId heir(leader % 3 + 1);
  cluster.Pass(Milliseconds(200));
  // The leader gets its word to the heir, and is gone; so the third node must be won over.
  cluster.passes = [leader](const Envelope& envelope) {
    return !std::holds_alternative<Waiver>(envelope.message) && envelope.to != NodeId(leader);
  };
  cluster.Transfer(leader, heir);
  cluster.DeliverAll();
  EXPECT_EQ(cluster.replica(heir.value()).role(), Role::kLeader)
      << "the grants to the old leader have kept the heir waiting";
}

TEST(ReplicaTest, OnlyWhoeverItHasPromisedToMayTellANodeToStand) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t heir = leader % 3 + 1;
  const uint32_t other = heir % 3 + 1;
  cluster.Pass(Milliseconds(200));
  const Ballot promised = cluster.replica(heir).promised();
  const auto stands = [&](uint32_t from, Ballot ballot) {
    const Output out = cluster.Inject(heir, From(from, heir, StandNow{.ballot = ballot}));
    return !Sent<Prepare>(out).empty() || cluster.replica(heir).role() != Role::kFollower;
  };
  EXPECT_FALSE(stands(leader, B(promised.round - 1, leader))) << "it led, but not under what is promised now";
  EXPECT_FALSE(stands(leader, B(promised.round + 1, leader)));
  EXPECT_FALSE(stands(other, promised)) << "the ballot is another's";
  EXPECT_FALSE(stands(other, B(promised.round, other)));
  EXPECT_EQ(cluster.replica(heir).leader(), NodeId(leader));
  EXPECT_TRUE(stands(leader, promised));
}

TEST(ReplicaTest, ANodeThatHasJustStartedIsTheLastChoiceForAnHeir) {
  for (int attempt = 0; attempt < 4; ++attempt) {
    ReplicaCluster cluster(3);
    const uint32_t leader = cluster.ElectAny();
    const uint32_t young = (leader + attempt % 2) % 3 + 1;
    cluster.Pass(Seconds(1));
    cluster.Crash(young);
    cluster.Restart(young);
    cluster.Pass(Milliseconds(200));
    cluster.Transfer(leader, kNoNode);
    cluster.DeliverAll();
    EXPECT_NE(cluster.replica(young).role(), Role::kLeader);
    EXPECT_NE(cluster.ElectAny(Milliseconds(10)), 0u);
  }
}

TEST(ReplicaTest, AHeirMustBeAVoterThatWasHeardLately) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t follower = leader % 3 + 1;
  cluster.Pass(Milliseconds(200));
  EXPECT_EQ(cluster.Transfer(follower, kNoNode), TransferResult::kNotLeader);
  EXPECT_EQ(cluster.Transfer(leader, NodeId(9)), TransferResult::kNoVoter);
  EXPECT_EQ(cluster.Transfer(leader, NodeId(leader)), TransferResult::kNoVoter);
  cluster.Crash(follower);
  cluster.Pass(Milliseconds(400));
  EXPECT_EQ(cluster.Transfer(leader, NodeId(follower)), TransferResult::kHeirUnheard);
  EXPECT_EQ(cluster.replica(leader).role(), Role::kLeader);
}

TEST(ReplicaTest, DropsMessagesOfAnotherIncarnationAndLife) {
  ReplicaCluster cluster(3);
  ASSERT_NE(cluster.ElectAny(), 0u);
  const Ballot high = B(1000, 2);
  Envelope strange = From(2, 1, Prepare{.ballot = high, .position = {kFirstSlot}});
  strange.from_incarnation = Incarnation(999);
  EXPECT_THAT(cluster.Inject(1, strange).messages, IsEmpty());
  strange.from_incarnation = Incarnation(102);
  strange.to_life = Life(777);
  EXPECT_THAT(cluster.Inject(1, strange).messages, IsEmpty());
  EXPECT_LT(cluster.replica(1).promised(), high);
}

// ---- Reads ----

TEST(ReplicaTest, LeaderServesReadsUnderItsLeaseWithoutMessages) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.Propose(leader, "a");
  cluster.Pass(Milliseconds(50));
  EXPECT_GT(cluster.replica(leader).LeaseLeft(cluster.now()), Duration::zero());
  cluster.ClearTrace();
  cluster.Read(leader, 1);
  ASSERT_THAT(cluster.Granted(leader), SizeIs(1));
  EXPECT_EQ(cluster.Granted(leader)[0].slot, Slot(1));
  EXPECT_THAT(cluster.trace(), IsEmpty());
}

TEST(ReplicaTest, ALeaderWithItsLeaseOffTakesARoundAndGrantsLeasesToOthers) {
  Options options;
  options.uses_lease = false;
  ReplicaCluster cluster(3, {}, options);
  const uint32_t leader = cluster.ElectAny();
  cluster.Pass(Milliseconds(200));
  EXPECT_EQ(cluster.replica(leader).LeaseLeft(cluster.now()), Duration::zero());
  const uint32_t other = leader % 3 + 1;
  const NodeId third((other % 3) + 1);
  EXPECT_GT(cluster.replica(other).acceptor().LeaseLeftAgainst(third, cluster.now()), Duration::zero());
  cluster.Read(leader, 1);
  EXPECT_THAT(cluster.Granted(leader), IsEmpty());
  cluster.DeliverAll();
  EXPECT_THAT(cluster.Granted(leader), SizeIs(1));
  EXPECT_EQ(cluster.replica(leader).read_counts().by_round, 1u);
}

TEST(ReplicaTest, ARestartedAcceptorSitsOutTheLeaseItMayHaveGranted) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t granter = leader % 3 + 1;
  const uint32_t contender = granter % 3 + 1;
  cluster.Pass(Milliseconds(200));
  const Duration lease = cluster.replica(leader).configuration().lease;
  cluster.passes = Without(leader);
  cluster.Crash(granter);
  cluster.Restart(granter);
  const Envelope prepare = From(contender, granter, Prepare{.ballot = B(1000, contender), .position = {kFirstSlot}});
  EXPECT_THAT(cluster.Inject(granter, prepare).records, IsEmpty());
  EXPECT_LT(cluster.replica(granter).promised(), B(1000, contender));
  cluster.Pass(lease + Milliseconds(5));
  cluster.Inject(granter, prepare);
  EXPECT_EQ(cluster.replica(granter).promised(), B(1000, contender));
}

TEST(ReplicaTest, AfterAWaiverTheOldBallotHoldsNoLeaseAndANewLeaderNeedNotWait) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.Pass(Milliseconds(200));
  const Ballot old_ballot = cluster.replica(leader).ballot();
  Output out;
  ASSERT_EQ(cluster.replica(leader).TransferLeadership(kNoNode, cluster.now(), out), TransferResult::kBegun);
  EXPECT_EQ(cluster.replica(leader).LeaseUntil(), Time::min());
  for (const Envelope& envelope : out.messages) cluster.Inject(envelope.to.value(), envelope);
  for (uint32_t node = 1; node <= 3; ++node) {
    for (uint32_t other = 1; other <= 3; ++other) {
      EXPECT_EQ(cluster.replica(node).acceptor().LeaseLeftAgainst(NodeId(other), cluster.now()), Duration::zero());
    }
  }
  // Acknowledgements of the old ballot that come late raise nothing.
  cluster.Inject(leader,
                 From(leader % 3 + 1, leader, HeartbeatAck{.ballot = old_ballot, .probe = 1, .chosen_index = {}}));
  EXPECT_EQ(cluster.replica(leader).LeaseUntil(), Time::min());
}

TEST(ReplicaTest, WithoutALeaseAReadTakesAQuorumRoundBegunAfterIt) {
  Configuration configuration = Voters(3);
  configuration.lease = Duration::zero();
  ReplicaCluster cluster(3, configuration);
  const uint32_t leader = cluster.ElectAny();
  cluster.Pass(Milliseconds(200));
  EXPECT_EQ(cluster.replica(leader).LeaseLeft(cluster.now()), Duration::zero());
  cluster.Read(leader, 1);
  EXPECT_THAT(cluster.Granted(leader), IsEmpty());
  cluster.DeliverAll();
  EXPECT_THAT(cluster.Granted(leader), SizeIs(1));
}

TEST(ReplicaTest, IsolatedLeaderServesNoReadOnceItsLeaseHasEnded) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  cluster.Pass(Milliseconds(200));
  cluster.passes = Without(leader);
  cluster.Pass(Milliseconds(410));
  cluster.Read(leader, 1);
  cluster.Pass(Seconds(1));
  EXPECT_THAT(cluster.Granted(leader), IsEmpty());
  EXPECT_THAT(cluster.Refused(leader), SizeIs(1));
}

TEST(ReplicaTest, FollowerAsksTheLeaderForAnIndexOnceForManyReads) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t follower = leader % 3 + 1;
  cluster.Propose(leader, "a");
  cluster.Pass(Milliseconds(50));
  cluster.ClearTrace();
  cluster.Read(follower, 1);
  cluster.Read(follower, 2);
  cluster.Read(follower, 3);
  cluster.DeliverAll();
  ASSERT_THAT(cluster.Granted(follower), SizeIs(3));
  EXPECT_GE(cluster.Granted(follower)[0].slot, Slot(1));
  int rounds = 0;
  for (const Envelope& e : cluster.trace()) {
    rounds += std::holds_alternative<ReadIndexRequest>(e.message) ? 1 : 0;
  }
  // The first read begins a round; the two that came later share the next.
  EXPECT_EQ(rounds, 2);
}

TEST(ReplicaTest, AFollowerNoticesThatItsLeaderHasMissedSomeHeartbeats) {
  ReplicaCluster cluster(3);
  const uint32_t leader = cluster.ElectAny();
  const uint32_t follower = leader % 3 + 1;
  cluster.Pass(Milliseconds(300));
  EXPECT_FALSE(cluster.replica(follower).IsLeaderSilent(cluster.now()));
  cluster.passes = [leader](const Envelope& envelope) { return envelope.from != NodeId(leader); };
  cluster.Pass(Milliseconds(450));
  EXPECT_EQ(cluster.replica(follower).leader(), NodeId(leader)) << "no election yet";
  EXPECT_TRUE(cluster.replica(follower).IsLeaderSilent(cluster.now()));
  EXPECT_FALSE(cluster.replica(leader).IsLeaderSilent(cluster.now())) << "it hears itself";
  cluster.Crash(leader);
  cluster.Pass(Seconds(3));
  EXPECT_FALSE(cluster.replica(follower).IsLeaderSilent(cluster.now())) << "of another leader";
}

TEST(ReplicaTest, NodeWithoutALeaderRefusesReads) {
  ReplicaCluster cluster(3);
  cluster.Read(1, 1);
  ASSERT_THAT(cluster.Refused(1), SizeIs(1));
  EXPECT_EQ(cluster.Refused(1)[0].reason, RefusedRead::Reason::kNoLeader);
}

TEST(ReplicaTest, NewLeaderReadsOnlyAfterItsRecoveryIsApplied) {
  ReplicaCluster cluster(3);
  const uint32_t first = cluster.ElectAny();
  const uint32_t survivor = first % 3 + 1;
  cluster.Propose(first, "a");
  cluster.DeliverAll();
  cluster.Crash(first);
  // Phase 2 is held up, so that the recovered slot stays open.
  cluster.passes = [](const Envelope& e) { return !std::holds_alternative<Accept>(e.message); };
  const uint32_t next = cluster.ElectAny();
  ASSERT_NE(next, 0u);
  if (cluster.replica(next).applied() < Slot(1)) {
    cluster.Read(next, 1);
    EXPECT_THAT(cluster.Granted(next), IsEmpty());
  }
  cluster.LoseNothing();
  cluster.Pass(Seconds(1));
  EXPECT_THAT(cluster.Applied(survivor), ElementsAre("a"));
}

}  // namespace
}  // namespace decree::paxos
