#include "paxos/core/leader/election.h"

#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

TEST(ElectionTest, APollNeedsAQuorumOfDistinctVoters) {
  Election election(Options(), Random(1), kStart);
  const Poll poll = election.StartPoll(B(1, 1), kNoSlot);
  PollAnswer yes{.poll = poll.poll, .granted = true, .promised = {}, .trim_point = {}, .chosen_index = {}};
  EXPECT_FALSE(election.OnAnswer(NodeId(1), yes, Voters(3)));
  EXPECT_FALSE(election.OnAnswer(NodeId(1), yes, Voters(3)));
  EXPECT_FALSE(election.OnAnswer(NodeId(9), yes, Voters(3))) << "no voter";
  PollAnswer stale = yes;
  --stale.poll;
  EXPECT_FALSE(election.OnAnswer(NodeId(2), stale, Voters(3)));
  EXPECT_TRUE(election.OnAnswer(NodeId(2), yes, Voters(3)));
  EXPECT_FALSE(election.OnAnswer(NodeId(3), yes, Voters(3))) << "once";
}

TEST(ElectionTest, AHeardLeaderPostponesIt) {
  const Options options;
  Election election(options, Random(1), kStart);
  const Time later = kStart + Seconds(5);
  election.OnLeaderHeard(later);
  EXPECT_GE(election.deadline(), later + options.election_timeout_min);
  EXPECT_LE(election.deadline(), later + options.election_timeout_max);
  EXPECT_TRUE(election.IsTaken(later));
  EXPECT_FALSE(election.IsTaken(later + options.election_timeout_min));
}

TEST(ElectionTest, APromiseGivenCountsAsALeaderForAWhile) {
  const Options options;
  Election election(options, Random(1), kStart);
  EXPECT_FALSE(election.IsTaken(kStart));
  election.OnPromiseGiven(kStart);
  EXPECT_TRUE(election.IsTaken(kStart + options.election_timeout_min - Milliseconds(1)));
  EXPECT_FALSE(election.IsTaken(kStart + options.election_timeout_min));
  EXPECT_GE(election.deadline(), kStart + options.election_timeout_min) << "nor does it stand itself";
}

TEST(ElectionTest, WaitsLongerAfterEachFailure) {
  const Options options;
  Duration longest = Duration::zero();
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Election election(options, Random(seed), kStart);
    for (int failure = 0; failure < 10; ++failure) election.OnGaveUp(kStart);
    EXPECT_GE(election.deadline() - kStart, options.election_timeout_min);
    EXPECT_LE(election.deadline() - kStart, options.election_timeout_max * 2) << "it is bounded";
    longest = std::max(longest, election.deadline() - kStart);
    election.OnLeaderHeard(kStart);
    election.OnGaveUp(kStart);
    EXPECT_LE(election.deadline() - kStart, options.election_timeout_max);
  }
  EXPECT_GT(longest, options.election_timeout_max);
}

}  // namespace
}  // namespace decree::paxos
