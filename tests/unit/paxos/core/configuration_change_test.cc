// A leader that finds a change of configuration for which it lacks promises: it has to prepare again, under the
// same ballot (rule 9).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/replica_cluster.h"

namespace decree::paxos {
namespace {

using check::ReplicaCluster;
using testing::Contains;
using testing::SizeIs;

Configuration ThreeVotersOfFive() {
  Configuration configuration = Voters(5);
  configuration.members[3].voter = configuration.members[4].voter = false;
  configuration.q1 = configuration.q2 = 2;
  return configuration;
}

// Node 1 has died and left at node 2 its vote for a configuration of five voters. Node 2 leads with its own
// promise and node 3's, which are too few among five, and has proposed the configuration; node 3's vote is lost.
class ConfigurationChangeTest : public testing::Test {
 protected:
  ConfigurationChangeTest() : cluster_(5, ThreeVotersOfFive()) {
    cluster_.passes = [](const Envelope& it) { return !Is<Poll>(it) || it.from == NodeId(1); };
    CHECK_EQ(cluster_.ElectAny(), 1u);
    cluster_.Pass(Milliseconds(200));
    const Envelope vote = ProposeFiveVoters(cluster_.replica(1));
    cluster_.Crash(1);
    cluster_.Inject(2, vote);
    cluster_.passes = [](const Envelope& it) {
      if (it.from == NodeId(3)) return !Is<Poll>(it) && !Is<Accepted>(it);
      return it.from == NodeId(2) || Is<HeartbeatAck>(it);
    };
    CHECK_EQ(cluster_.ElectAny(), 2u);
    cluster_.Pass(Milliseconds(200));
    CHECK_EQ(cluster_.replica(2).configuration().q2, 2u) << "it is chosen already";
  }

  template <typename Kind>
  static bool Is(const Envelope& envelope) {
    return std::holds_alternative<Kind>(envelope.message);
  }

  // To node 2, as if this leader had proposed it in its next slot.
  static Envelope ProposeFiveVoters(const Replica& leader) {
    Configuration five = leader.configuration();
    five.members[3].voter = five.members[4].voter = true;
    five.q1 = five.q2 = 3;
    const Entry entry{
        .kind = EntryKind::kConfiguration, .proposer = leader.ballot(), .log_time = {}, .payload = five.Encode()};
    const Slot slot = leader.chosen_index().Next();
    Envelope envelope = From(1, 2,
                             Accept{.ballot = leader.ballot(),
                                    .chosen_index = leader.chosen_index(),
                                    .entries = {{slot, std::make_shared<const Entry>(entry)}},
                                    .asked = {},
                                    .inquiry = 0});
    envelope.from_life = leader.self().life;
    return envelope;
  }

  // Node 3's votes come through; promises do only if `promises`.
  void LetVotesThrough(bool promises) {
    cluster_.passes = [promises](const Envelope& it) {
      return (promises || !Is<Promise>(it)) && (it.from == NodeId(2) || !Is<Poll>(it));
    };
  }

  // Until node 2 knows five voters.
  void AwaitChange() {
    for (int i = 0; i < 200 && cluster_.replica(2).configuration().q2 != 3; ++i) cluster_.Pass(Milliseconds(5));
    ASSERT_EQ(cluster_.replica(2).configuration().q2, 3u);
  }

  ReplicaCluster cluster_;
};

TEST_F(ConfigurationChangeTest, ItLeadsAgainUnderTheSameBallotOncePromisesSuffice) {
  const Ballot ballot = cluster_.replica(2).ballot();
  LetVotesThrough(false);
  AwaitChange();
  EXPECT_EQ(cluster_.replica(2).role(), Role::kCandidate);
  EXPECT_EQ(cluster_.replica(2).LeaseLeft(cluster_.now()), Duration::zero());
  LetVotesThrough(true);
  ASSERT_EQ(cluster_.ElectAny(), 2u);
  EXPECT_EQ(cluster_.replica(2).ballot(), ballot);
  cluster_.Propose(2, "after");
  cluster_.Pass(Milliseconds(300));
  for (const uint32_t node : {2, 3, 4, 5}) EXPECT_THAT(cluster_.Applied(node), Contains("after")) << node;
  EXPECT_GT(cluster_.replica(2).LeaseLeft(cluster_.now()), Duration::zero());
}

TEST_F(ConfigurationChangeTest, ReadsThatWaitAreServedByTheSecondLeadership) {
  cluster_.Read(2, 1);
  LetVotesThrough(false);
  AwaitChange();
  EXPECT_THAT(cluster_.Granted(2), SizeIs(0)) << "what was recovered is not known to be all";
  LetVotesThrough(true);
  ASSERT_EQ(cluster_.ElectAny(), 2u);
  cluster_.Pass(Milliseconds(300));
  EXPECT_THAT(cluster_.Granted(2), SizeIs(1));
  EXPECT_THAT(cluster_.Refused(2), SizeIs(0));
}

TEST_F(ConfigurationChangeTest, AnAnswerToTheFirstLeadershipIsNoneToTheSecond) {
  std::vector<Envelope> old;
  for (const Envelope& envelope : cluster_.trace()) {
    if (Is<HeartbeatAck>(envelope) && envelope.to == NodeId(2)) old.push_back(envelope);
  }
  ASSERT_FALSE(old.empty());
  // No answer to a heartbeat arrives any more, but the old ones come again.
  cluster_.passes = [](const Envelope& it) { return !Is<HeartbeatAck>(it) && (it.from == NodeId(2) || !Is<Poll>(it)); };
  AwaitChange();
  ASSERT_EQ(cluster_.ElectAny(), 2u);
  for (const Envelope& envelope : old) {
    for (const uint32_t node : {2, 3, 4}) {
      Envelope again = envelope;
      again.from = NodeId(node);
      again.from_incarnation = Self(node).incarnation;
      cluster_.Inject(2, again);
    }
  }
  EXPECT_EQ(cluster_.replica(2).LeaseLeft(cluster_.now()), Duration::zero());
}

TEST_F(ConfigurationChangeTest, ATransferEndsThere) {
  ASSERT_EQ(cluster_.Transfer(2, kNoNode), TransferResult::kBegun);
  EXPECT_EQ(cluster_.replica(2).role(), Role::kLeader) << "the change is in flight";
  LetVotesThrough(false);
  AwaitChange();
  EXPECT_EQ(cluster_.replica(2).role(), Role::kFollower);
  cluster_.LoseNothing();
  const uint32_t leader = cluster_.ElectAny();
  ASSERT_NE(leader, 0u);
  EXPECT_EQ(cluster_.Propose(leader, "after"), ProposeResult::kQueued);
  cluster_.Pass(Milliseconds(300));
  EXPECT_THAT(cluster_.Applied(2), Contains("after"));
}

}  // namespace
}  // namespace decree::paxos
