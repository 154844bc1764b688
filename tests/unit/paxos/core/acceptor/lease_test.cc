#include "paxos/core/acceptor/lease.h"

#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

class HeldLeaseTest : public testing::Test {
 protected:
  Configuration three_ = Voters(3);
  HeldLease lease_{0};
};

TEST_F(HeldLeaseTest, LastsFromTheSendTimeAndNotFromTheAnswer) {
  const uint64_t probe = lease_.NextProbe(kStart);
  lease_.OnAck(NodeId(1), probe, kStart);
  lease_.OnAck(NodeId(2), probe, kStart + Milliseconds(300));
  EXPECT_EQ(lease_.HeldUntil(three_), kStart + Milliseconds(400));
}

TEST_F(HeldLeaseTest, NeedsALeaseQuorum) {
  const uint64_t probe = lease_.NextProbe(kStart);
  lease_.OnAck(NodeId(1), probe, kStart);
  lease_.OnAck(NodeId(1), probe, kStart);
  EXPECT_EQ(lease_.HeldUntil(three_), Time::min());
}

TEST_F(HeldLeaseTest, LeaseQuorumMeetsEveryPhase1Quorum) {
  for (uint32_t n = 1; n <= 7; ++n) {
    for (uint32_t q1 = 1; q1 <= n; ++q1) {
      Configuration configuration = Voters(n);
      configuration.q1 = q1;
      configuration.q2 = n - q1 + 1;
      ASSERT_TRUE(configuration.Validate().ok());
      EXPECT_GT(configuration.LeaseQuorum() + configuration.q1, n);
    }
  }
}

TEST_F(HeldLeaseTest, LosesTheDriftMargin) {
  three_.drift_ppm = 50'000;
  const uint64_t probe = lease_.NextProbe(kStart);
  lease_.OnAck(NodeId(1), probe, kStart);
  lease_.OnAck(NodeId(2), probe, kStart);
  EXPECT_EQ(lease_.HeldUntil(three_), kStart + Milliseconds(380));
}

TEST_F(HeldLeaseTest, NewerProbesExtendIt) {
  for (int i = 0; i < 3; ++i) {
    const Time sent = kStart + Milliseconds(100 * i);
    const uint64_t probe = lease_.NextProbe(sent);
    lease_.OnAck(NodeId(1), probe, sent);
    if (i < 2) lease_.OnAck(NodeId(2), probe, sent);
  }
  EXPECT_EQ(lease_.HeldUntil(three_), kStart + Milliseconds(500));
}

TEST_F(HeldLeaseTest, AnswersToAnEarlierLeadershipDoNotCount) {
  const uint64_t old = lease_.NextProbe(kStart);
  HeldLease next(lease_.last_probe());
  EXPECT_GT(next.NextProbe(kStart), old);
  next.OnAck(NodeId(1), old, kStart);
  next.OnAck(NodeId(2), old, kStart);
  EXPECT_EQ(next.HeldUntil(three_), Time::min());
}

TEST_F(HeldLeaseTest, ZeroLengthIsNeverHeld) {
  three_.lease = Duration::zero();
  const uint64_t probe = lease_.NextProbe(kStart);
  lease_.OnAck(NodeId(1), probe, kStart);
  lease_.OnAck(NodeId(2), probe, kStart);
  EXPECT_EQ(lease_.HeldUntil(three_), Time::min());
  EXPECT_EQ(lease_.ConfirmedProbe(three_), probe) << "a quorum round still works";
}

TEST(GrantedLeaseTest, BindsOthersUntilItEnds) {
  GrantedLease lease(kStart);
  lease.Grant(B(3, 1), Milliseconds(400), kStart);
  EXPECT_EQ(lease.LeftAgainst(NodeId(2), kStart + Milliseconds(100)), Milliseconds(300));
  EXPECT_EQ(lease.LeftAgainst(NodeId(1), kStart), Duration::zero());
  EXPECT_EQ(lease.LeftAgainst(NodeId(2), kStart + Milliseconds(400)), Duration::zero());
}

TEST(GrantedLeaseTest, AWaiverCancelsTheGrantsOfItsBallotAlone) {
  GrantedLease lease(kStart);
  lease.Grant(B(3, 1), Milliseconds(400), kStart);
  lease.Waive(B(2, 1));
  EXPECT_EQ(lease.LeftAgainst(NodeId(2), kStart), Milliseconds(400)) << "of an earlier leadership";
  lease.Waive(B(3, 1));
  EXPECT_EQ(lease.LeftAgainst(NodeId(2), kStart), Duration::zero());
  lease.Grant(B(4, 1), Milliseconds(400), kStart);
  lease.Waive(B(3, 1));
  EXPECT_EQ(lease.LeftAgainst(NodeId(2), kStart), Milliseconds(400)) << "a waiver that came late";
}

TEST(GrantedLeaseTest, AfterARestartItBindsEverybody) {
  GrantedLease lease(kStart + Milliseconds(400));
  EXPECT_EQ(lease.LeftAgainst(NodeId(1), kStart), Milliseconds(400));
}

}  // namespace
}  // namespace decree::paxos
