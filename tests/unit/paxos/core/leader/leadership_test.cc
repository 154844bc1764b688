#include "paxos/core/leader/leadership.h"

#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

class LeadershipTest : public testing::Test {
 protected:
  // `peer` answers a heartbeat that was sent just now.
  void Hear(uint32_t peer, uint64_t chosen_index, Time now, Duration refuses_for = Duration::zero()) {
    const Heartbeat heartbeat = leadership_.NextHeartbeat(B(1, 1), Slot(9), now);
    leadership_.OnHeartbeatAck(
        NodeId(peer),
        {.ballot = B(1, 1), .probe = heartbeat.probe, .chosen_index = Slot(chosen_index), .refuses_for = refuses_for},
        now);
  }

  TransferResult CheckHeir(uint32_t heir, Time now) const {
    return leadership_.CheckHeir(NodeId(heir), five_, Slot(5), now);
  }

  const Options options_;
  const Configuration five_ = Voters(5);
  Leadership leadership_{options_, NodeId(1), 7, kStart};
};

TEST_F(LeadershipTest, HeartbeatsGoOnFromTheFormerLeadershipsNumber) {
  EXPECT_EQ(leadership_.heartbeat_at(), kStart) << "the first is due at once";
  EXPECT_EQ(leadership_.NextHeartbeat(B(1, 1), Slot(3), kStart).probe, 8u);
  EXPECT_EQ(leadership_.heartbeat_at(), kStart + options_.heartbeat);
  EXPECT_EQ(leadership_.NextDeadline(), kStart + options_.heartbeat);
}

TEST_F(LeadershipTest, AQuorumIsSilentAfterAnElectionTimeout) {
  const Time limit = kStart + options_.election_timeout_min;
  EXPECT_FALSE(leadership_.IsQuorumSilent(five_, limit)) << "it has only just begun to lead";
  EXPECT_TRUE(leadership_.IsQuorumSilent(five_, limit + Milliseconds(1)));
  const Time later = kStart + Milliseconds(100);
  for (const uint32_t peer : {1, 2}) Hear(peer, 9, later);
  EXPECT_TRUE(leadership_.IsQuorumSilent(five_, limit + Milliseconds(1))) << "two of five are none";
  Hear(3, 9, later);
  EXPECT_FALSE(leadership_.IsQuorumSilent(five_, later + options_.election_timeout_min));
  EXPECT_TRUE(leadership_.IsQuorumSilent(five_, later + options_.election_timeout_min + Milliseconds(1)));
}

TEST_F(LeadershipTest, AQuorumThatCouldOnlyRenewTheLeaseIsNotEnough) {
  Configuration five = five_;
  five.q2 = 5;
  const Time later = kStart + Milliseconds(100);
  for (const uint32_t peer : {1, 2, 3, 4}) Hear(peer, 9, later);
  const Time limit = kStart + options_.election_timeout_min + Milliseconds(1);
  EXPECT_TRUE(leadership_.IsQuorumSilent(five, limit));
  Hear(5, 9, later);
  EXPECT_FALSE(leadership_.IsQuorumSilent(five, limit));
}

TEST_F(LeadershipTest, AnHeirIsAVoterThatWasHeardIsReadyAndNotFarBehind) {
  EXPECT_EQ(CheckHeir(1, kStart), TransferResult::kNoVoter) << "leads already";
  EXPECT_EQ(CheckHeir(6, kStart), TransferResult::kNoVoter);
  EXPECT_EQ(CheckHeir(2, kStart), TransferResult::kHeirUnheard);
  Hear(2, 5, kStart, Milliseconds(200));
  EXPECT_EQ(CheckHeir(2, kStart + Milliseconds(199)), TransferResult::kHeirUnready);
  EXPECT_EQ(CheckHeir(2, kStart + Milliseconds(200)), TransferResult::kBegun);
  EXPECT_EQ(CheckHeir(2, kStart + options_.HeardFor() + Milliseconds(1)), TransferResult::kHeirUnheard);
  Hear(3, 4, kStart);
  EXPECT_EQ(CheckHeir(3, kStart), TransferResult::kHeirBehind);
}

TEST_F(LeadershipTest, AnAnswerThatComesLateDoesNotLowerAPeersIndex) {
  Hear(2, 6, kStart);
  Hear(2, 4, kStart);
  EXPECT_EQ(CheckHeir(2, kStart), TransferResult::kBegun);
}

TEST_F(LeadershipTest, WithoutANamedHeirTheMostAdvancedOfThoseThatAreReadyTakesOver) {
  leadership_.BeginTransfer(kNoNode, kStart);
  EXPECT_EQ(leadership_.Heir(five_, kStart), kNoNode);
  Hear(1, 9, kStart);
  EXPECT_EQ(leadership_.Heir(five_, kStart), kNoNode) << "not itself";
  Hear(6, 9, kStart);
  EXPECT_EQ(leadership_.Heir(five_, kStart), kNoNode) << "no voter";
  Hear(2, 9, kStart, Milliseconds(100));
  EXPECT_EQ(leadership_.Heir(five_, kStart), NodeId(2)) << "better than nobody";
  Hear(3, 6, kStart);
  EXPECT_EQ(leadership_.Heir(five_, kStart), NodeId(3));
  Hear(4, 7, kStart);
  EXPECT_EQ(leadership_.Heir(five_, kStart), NodeId(4));
  EXPECT_EQ(leadership_.Heir(five_, kStart + Milliseconds(100)), NodeId(2)) << "ready by now";
  leadership_.BeginTransfer(NodeId(3), kStart);
  EXPECT_EQ(leadership_.Heir(five_, kStart), NodeId(3)) << "as it was asked for";
}

TEST_F(LeadershipTest, ATransferWaitsForWhatIsInFlightButNotForEver) {
  EXPECT_FALSE(leadership_.IsTransferDue(0, kStart));
  leadership_.BeginTransfer(NodeId(2), kStart);
  EXPECT_TRUE(leadership_.IsTransferDue(0, kStart));
  EXPECT_FALSE(leadership_.IsTransferDue(1, kStart));
  leadership_.BeginTransfer(NodeId(3), kStart + Milliseconds(100));
  const Time until = kStart + options_.election_timeout_min;
  EXPECT_FALSE(leadership_.IsTransferDue(1, until - Milliseconds(1)));
  EXPECT_TRUE(leadership_.IsTransferDue(1, until)) << "the second request did not put it off";
  leadership_.NextHeartbeat(B(1, 1), Slot(9), until - Milliseconds(1));
  EXPECT_EQ(leadership_.NextDeadline(), until);
}

}  // namespace
}  // namespace decree::paxos
