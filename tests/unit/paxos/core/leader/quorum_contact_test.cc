#include "paxos/core/leader/quorum_contact.h"

#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

class QuorumContactTest : public testing::Test {
 protected:
  bool IsLost(Duration at) const { return contact_.LostAt(configuration_) <= kStart + at; }
  void Ask(Duration at) { contact_.OnAsked(configuration_, kStart + at); }
  void Hear(uint32_t node, Duration at) { contact_.OnHeard(NodeId(node), kStart + at); }

  Configuration configuration_ = Voters(5);
  QuorumContact contact_{Options(), NodeId(1)};
};

TEST_F(QuorumContactTest, SilenceWithoutAQuestionProvesNothing) {
  EXPECT_FALSE(IsLost(Seconds(100)));
  Hear(2, Seconds(1));
  EXPECT_FALSE(IsLost(Seconds(100)));
}

TEST_F(QuorumContactTest, IsLostWhenAQuestionStaysUnanswered) {
  Ask(Seconds(1));
  EXPECT_FALSE(IsLost(Milliseconds(1199)));
  EXPECT_TRUE(IsLost(Milliseconds(1200)));
}

TEST_F(QuorumContactTest, AQuorumCountsWithThisNode) {
  Ask(Seconds(1));
  Hear(2, Milliseconds(1001));
  Hear(2, Milliseconds(1002));
  EXPECT_TRUE(IsLost(Seconds(2)));
  Hear(3, Milliseconds(1003));
  EXPECT_FALSE(IsLost(Seconds(2)));
}

TEST_F(QuorumContactTest, WhatWasHeardBeforeTheQuestionIsNoAnswer) {
  Hear(2, Milliseconds(900));
  Hear(3, Milliseconds(900));
  Ask(Seconds(1));
  EXPECT_TRUE(IsLost(Seconds(2)));
}

TEST_F(QuorumContactTest, OwnMessagesAndThoseOfOthersThanVotersDoNotCount) {
  configuration_.members[3].voter = false;
  configuration_.members[4].voter = false;
  configuration_.q1 = configuration_.q2 = 2;
  Ask(Seconds(1));
  Hear(1, Seconds(1));
  Hear(4, Seconds(1));
  Hear(9, Seconds(1));
  EXPECT_TRUE(IsLost(Seconds(2)));
}

TEST_F(QuorumContactTest, StaysLostWhileItIsAskedAgainInVain) {
  for (int i = 0; i < 20; ++i) Ask(Milliseconds(100 * i));
  EXPECT_TRUE(IsLost(Milliseconds(1901)));
}

TEST_F(QuorumContactTest, ALeaderWhoseHeartbeatsAreAnsweredNeverLosesIt) {
  for (int i = 0; i < 20; ++i) {
    Ask(Milliseconds(100 * i));
    EXPECT_FALSE(IsLost(Milliseconds(100 * i)));
    Hear(2, Milliseconds(100 * i + 90));
    Hear(3, Milliseconds(100 * i + 90));
  }
}

TEST_F(QuorumContactTest, TheLargerQuorumDecides) {
  configuration_.q1 = 4;
  configuration_.q2 = 2;
  Ask(Seconds(1));
  Hear(2, Seconds(1));
  Hear(3, Seconds(1));
  EXPECT_TRUE(IsLost(Seconds(2)));
  Hear(4, Seconds(2));
  EXPECT_FALSE(IsLost(Seconds(2)));
}

TEST_F(QuorumContactTest, ALoneNodeIsItsOwnQuorum) {
  configuration_ = Voters(1);
  Ask(Seconds(1));
  EXPECT_FALSE(IsLost(Seconds(100)));
}

}  // namespace
}  // namespace decree::paxos
