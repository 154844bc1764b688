#include "paxos/core/first_meeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/replica_cluster.h"

namespace decree::paxos {
namespace {

using check::ReplicaCluster;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Configuration Strangers(uint32_t count) {
  Configuration configuration = Voters(count);
  for (Member& member : configuration.members) member.incarnation = {};
  return configuration;
}

// Nodes whose directories have just been formatted.
class FirstMeetingTest : public testing::Test {
 protected:
  void CutOff(uint32_t node) {
    cluster_.passes = [node](const Envelope& envelope) {
      return envelope.from != NodeId(node) && envelope.to != NodeId(node);
    };
  }
  void Mend() { cluster_.LoseNothing(); }
  bool HasBegun(uint32_t node) { return cluster_.replica(node).has_begun(); }
  bool HasPromised(uint32_t node) { return !cluster_.replica(node).promised().IsNone(); }
  std::vector<std::string> Obstacles(uint32_t node) { return cluster_.replica(node).meeting().Obstacles(); }

  ReplicaCluster cluster_{3, Strangers(3)};
};

TEST_F(FirstMeetingTest, ANewClusterBeginsWhenAllHaveMet) {
  ASSERT_NE(cluster_.ElectAny(), 0u);
  for (const uint32_t node : {1, 2, 3}) {
    EXPECT_TRUE(HasBegun(node));
    EXPECT_THAT(Obstacles(node), IsEmpty());
    EXPECT_EQ(cluster_.replica(node).configuration().KnownIncarnations(), Voters(3).KnownIncarnations());
  }
}

TEST_F(FirstMeetingTest, AQuorumIsNotEnoughToBegin) {
  CutOff(3);
  EXPECT_EQ(cluster_.ElectAny(), 0u);
  EXPECT_FALSE(HasPromised(1) || HasPromised(2));
  EXPECT_THAT(Obstacles(1), ElementsAre(HasSubstr("n3 has not been heard yet")));
  Mend();
  EXPECT_NE(cluster_.ElectAny(), 0u);
}

TEST_F(FirstMeetingTest, ASetIsNotReportedBeforeItIsDurable) {
  cluster_.HoldRecords(2);
  EXPECT_EQ(cluster_.ElectAny(), 0u);
  EXPECT_FALSE(HasBegun(1) || HasBegun(2) || HasBegun(3));
  EXPECT_THAT(Obstacles(1), ElementsAre(HasSubstr("n2 has not heard all the others yet")));
  cluster_.ReleaseRecords(2);
  EXPECT_NE(cluster_.ElectAny(), 0u);
}

TEST_F(FirstMeetingTest, ARestartWithTheWholeSetIsNoBegin) {
  cluster_.HoldRecords(2);
  cluster_.Pass(Seconds(1));  // n1 and n3 have written the set; n2 has not.
  for (const uint32_t node : {1, 3}) {
    cluster_.Crash(node);
    cluster_.Restart(node);
  }
  EXPECT_EQ(cluster_.ElectAny(), 0u);
  EXPECT_FALSE(HasBegun(1) || HasBegun(3));
}

TEST_F(FirstMeetingTest, NoMeetingAfterTheBegin) {
  ASSERT_NE(cluster_.ElectAny(), 0u);
  cluster_.Crash(3);
  for (const uint32_t node : {1, 2}) {
    cluster_.Crash(node);
    cluster_.Restart(node);
  }
  EXPECT_NE(cluster_.ElectAny(), 0u) << "waits for n3, though the cluster has begun";
}

TEST_F(FirstMeetingTest, ANodeThatWasAwayWhenTheOthersBeganNeedsOneOfThem) {
  // n3 has written the set, and hears of nobody's report.
  cluster_.passes = [](const Envelope& envelope) {
    const auto* const introduction = std::get_if<Introduction>(&envelope.message);
    return envelope.to != NodeId(3) || (introduction != nullptr && introduction->known.size() < 3);
  };
  ASSERT_NE(cluster_.ElectAny(), 0u);
  EXPECT_FALSE(HasBegun(3));
  cluster_.Crash(1);
  Mend();
  cluster_.Pass(Seconds(1));
  EXPECT_TRUE(HasBegun(3));
}

TEST_F(FirstMeetingTest, AWipedNodeNeverVotesUnderItsOldId) {
  const uint32_t leader = cluster_.ElectAny();
  cluster_.Propose(leader, "acknowledged");
  cluster_.Pass(Milliseconds(200));
  const uint32_t wiped = leader % 3 + 1;
  const uint32_t other = wiped % 3 + 1;
  cluster_.Crash(leader);
  cluster_.Wipe(wiped);
  EXPECT_EQ(cluster_.ElectAny(), 0u) << "the wiped node helped " << other;
  EXPECT_FALSE(HasBegun(wiped));
  EXPECT_FALSE(HasPromised(wiped));
  cluster_.Restart(leader);
  EXPECT_NE(cluster_.ElectAny(), 0u);
  cluster_.Pass(Seconds(1));
  EXPECT_FALSE(HasBegun(wiped));
}

// The danger that the rule is for: n2 voted, lost its disk, and a node that has heard only the new n2
// makes a quorum with it.
TEST_F(FirstMeetingTest, ANodeWipedBetweenMeetingAndBeginIsNotLetIn) {
  // n1 and n2 have heard everybody.
  cluster_.passes = [](const Envelope& envelope) { return envelope.to != NodeId(3); };
  cluster_.Pass(Seconds(1));
  // So has n3, but it lost power before that was written.
  cluster_.HoldRecords(3);
  Mend();
  cluster_.Pass(Seconds(1));
  cluster_.Crash(3);
  cluster_.Wipe(2);
  cluster_.Restart(3);
  EXPECT_EQ(cluster_.ElectAny(), 0u);
  EXPECT_FALSE(HasPromised(1) || HasPromised(2) || HasPromised(3));
  EXPECT_THAT(Obstacles(1), Contains(HasSubstr("n2 is not the n2 that was heard before")));
}

TEST_F(FirstMeetingTest, ReportsThatDifferAreTold) {
  CutOff(2);
  cluster_.Pass(Seconds(1));  // n1 and n3 have met.
  CutOff(3);
  cluster_.Pass(Seconds(1));  // n1 has met n2 too: it holds them all.
  cluster_.Wipe(2);
  CutOff(1);
  cluster_.Pass(Seconds(1));  // n3 has met the new n2.
  Mend();
  EXPECT_EQ(cluster_.ElectAny(), 0u);
  EXPECT_THAT(Obstacles(3), Contains(AllOf(HasSubstr("n1 knows another n2 than n3 does"), HasSubstr("format"))));
  EXPECT_THAT(Obstacles(2), Contains(HasSubstr("n1 knows another n2 than this one")));
  // Before the begin all may be formatted again.
  for (const uint32_t node : {1, 2, 3}) cluster_.Wipe(node);
  EXPECT_NE(cluster_.ElectAny(), 0u);
}

TEST_F(FirstMeetingTest, ANodeMayBeFormattedAgainBeforeAllHaveMet) {
  CutOff(3);
  cluster_.Pass(Seconds(1));
  cluster_.Wipe(2);
  cluster_.Pass(Seconds(1));
  Mend();
  EXPECT_NE(cluster_.ElectAny(), 0u);
}

TEST(FirstMeetingOfOneTest, BeginsAtOnce) {
  ReplicaCluster cluster(1, Strangers(1));
  EXPECT_EQ(cluster.ElectAny(), 1u);
}

TEST(FirstMeetingOfOneTest, BeginsAfterARestartThatCameTooEarly) {
  RecoveredState recovered{.configuration = Strangers(1)};
  recovered.roster = {{NodeId(1), Self(1).incarnation}};
  EXPECT_TRUE(FirstMeeting(Self(1), recovered, Time(Seconds(1))).has_begun());
}

TEST(FirstMeetingCheckTest, RefusesARosterThatDoesNotFit) {
  RecoveredState recovered{.configuration = Strangers(3)};
  const auto message = [&] { return std::string(FirstMeeting::Check(Self(1), recovered).message()); };
  EXPECT_THAT(message(), IsEmpty());
  recovered.promised = B(1, 1);
  EXPECT_THAT(message(), HasSubstr("is missing"));
  recovered.roster = Voters(3).KnownIncarnations();
  EXPECT_THAT(message(), IsEmpty());
  recovered.roster[NodeId(1)] = Incarnation(9);
  EXPECT_THAT(message(), HasSubstr("does not fit"));
  recovered.roster = Voters(2).KnownIncarnations();
  EXPECT_THAT(message(), HasSubstr("does not fit"));
}

}  // namespace
}  // namespace decree::paxos
