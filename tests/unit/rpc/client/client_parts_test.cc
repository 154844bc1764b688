// The client's passive parts: whom to ask, how long to wait, how often to try again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/client/backoff.h"
#include "rpc/client/client.h"
#include "rpc/client/endpoints.h"
#include "rpc/client/retry_budget.h"
#include "rpc/client/session_numbers.h"

namespace decree::rpc {
namespace {

using testing::HasSubstr;

constexpr Time kNow{Seconds(100)};

class EndpointsTest : public testing::Test {
 protected:
  Endpoints endpoints_{{"a:1", "b:1", "c:1"}, 0, Seconds(1)};
};

TEST_F(EndpointsTest, AsksInTurnUntilTheLeaderIsKnown) {
  EXPECT_EQ(endpoints_.ChooseForLeader(kNow).endpoint, 0u);
  EXPECT_EQ(endpoints_.ChooseForLeader(kNow).endpoint, 1u);
  EXPECT_TRUE(endpoints_.ChooseForLeader(kNow).no_forwarding);
  EXPECT_TRUE(endpoints_.OnLeaderHint("c:1", kNow));
  EXPECT_EQ(endpoints_.ChooseForLeader(kNow).endpoint, 2u);
  EXPECT_EQ(endpoints_.ChooseForLeader(kNow).endpoint, 2u);
}

TEST_F(EndpointsTest, LeavesOutWhatIsBroken) {
  endpoints_.OnLed(1);
  endpoints_.OnBroken(1, kNow);
  EXPECT_EQ(endpoints_.leader(), std::nullopt);
  for (int i = 0; i < 6; ++i) EXPECT_NE(endpoints_.ChooseAny(kNow).endpoint, 1u);
  EXPECT_FALSE(endpoints_.OnLeaderHint("b:1", kNow)) << "the leader, but it cannot be reached from here";
  EXPECT_FALSE(endpoints_.ChooseForLeader(kNow).no_forwarding) << "another may forward";
}

TEST_F(EndpointsTest, AsksTheOneThatRestedLongestIfAllAreBroken) {
  endpoints_.OnBroken(2, kNow);
  endpoints_.OnBroken(0, kNow + Milliseconds(1));
  endpoints_.OnBroken(1, kNow + Milliseconds(2));
  EXPECT_EQ(endpoints_.ChooseAny(kNow + Milliseconds(3)).endpoint, 2u);
}

TEST_F(EndpointsTest, LeavesOutWhatWasOfNoUseUntilAnotherNamesIt) {
  endpoints_.OnLed(1);
  endpoints_.OnOfNoUse(1, kNow);
  EXPECT_EQ(endpoints_.leader(), std::nullopt);
  for (int i = 0; i < 6; ++i) EXPECT_NE(endpoints_.ChooseForLeader(kNow).endpoint, 1u);
  EXPECT_TRUE(endpoints_.ChooseForLeader(kNow).no_forwarding) << "nobody is made to forward to it";
  EXPECT_TRUE(endpoints_.HasAnother(0, kNow));
  EXPECT_TRUE(endpoints_.OnLeaderHint("b:1", kNow)) << "it may have come to lead again";
  EXPECT_EQ(endpoints_.ChooseForLeader(kNow).endpoint, 1u);
}

TEST_F(EndpointsTest, WhatWasOfNoUseIsTriedAgainAfterAWhile) {
  endpoints_.OnOfNoUse(0, kNow);
  endpoints_.OnOfNoUse(1, kNow);
  EXPECT_FALSE(endpoints_.HasAnother(2, kNow));
  EXPECT_TRUE(endpoints_.HasAnother(0, kNow));
  EXPECT_TRUE(endpoints_.HasAnother(2, kNow + Seconds(1)));
  EXPECT_EQ(endpoints_.ChooseAny(kNow + Seconds(1)).endpoint, 0u);
}

TEST_F(EndpointsTest, ASilentOneIsLeftOutForLongerEachTime) {
  const auto is_left_out = [&](Time at) {
    for (int i = 0; i < 3; ++i) {
      if (endpoints_.ChooseAny(at).endpoint == 0) return false;
    }
    return true;
  };
  Time now = kNow;
  for (const int seconds : {1, 2, 4, 8, 8}) {
    endpoints_.OnSilent(0, now);
    endpoints_.OnSilent(0, now + Milliseconds(1));  // another request that waited at the same time
    EXPECT_TRUE(is_left_out(now + Seconds(seconds) - Milliseconds(1))) << seconds;
    now += Seconds(seconds);
    EXPECT_FALSE(is_left_out(now)) << seconds;
  }
  endpoints_.OnAnswered(0);
  endpoints_.OnSilent(0, now);
  EXPECT_FALSE(is_left_out(now + Seconds(1)));
}

TEST_F(EndpointsTest, AreProvenByAnAnswerUntilTheyBreak) {
  EXPECT_FALSE(endpoints_.IsProven(0));
  endpoints_.OnOfNoUse(0, kNow);
  EXPECT_TRUE(endpoints_.IsProven(0)) << "that, too, is an answer";
  endpoints_.OnBroken(0, kNow);
  EXPECT_FALSE(endpoints_.IsProven(0));
}

TEST(RetryBudgetTest, IsEmptiedByRetriesAndFilledBySuccessAndTime) {
  RetryBudget budget({.tokens_max = 2, .tokens_per_success = 0.5, .tokens_per_second = 1}, kNow);
  EXPECT_TRUE(budget.TryTake(kNow));
  EXPECT_TRUE(budget.TryTake(kNow));
  EXPECT_FALSE(budget.TryTake(kNow));
  budget.OnSuccess();
  budget.OnSuccess();
  EXPECT_TRUE(budget.TryTake(kNow));
  EXPECT_FALSE(budget.TryTake(kNow + Milliseconds(500)));
  EXPECT_TRUE(budget.TryTake(kNow + Milliseconds(1100)));
}

TEST(BackoffTest, GrowsUpToItsLimit) {
  Random random(1);
  const BackoffOptions options{.base = Milliseconds(10), .max = Milliseconds(100)};
  Duration longest = Duration::zero();
  for (int i = 0; i < 200; ++i) {
    EXPECT_LE(Backoff(options, 1, random), Milliseconds(10));
    longest = std::max(longest, Backoff(options, 30, random));
  }
  EXPECT_GT(longest, Milliseconds(50));
  EXPECT_LE(longest, Milliseconds(100));
}

TEST(ClientOptionsTest, NamesWhatIsWrong) {
  EXPECT_THAT(ClientOptions().Validate().ToString(), HasSubstr("endpoints is empty"));
  EXPECT_THAT(ClientOptions{.endpoints = {"a"}}.Validate().ToString(), HasSubstr("\"a\""));
  EXPECT_THAT((ClientOptions{.endpoints = {"a:1", "a:1"}}).Validate().ToString(), HasSubstr("a:1 is given twice"));
  EXPECT_THAT((ClientOptions{.endpoints = {"a:1"}, .timeout = Duration::zero()}).Validate().ToString(),
              HasSubstr("timeout"));
}

TEST(PrefixEndTest, IsTheFirstKeyBehindAllWithThePrefix) {
  EXPECT_EQ(PrefixEnd("a"), "b");
  EXPECT_EQ(PrefixEnd("az\x7f"), "az\x80");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "") << "to the last key";
  EXPECT_EQ(PrefixEnd(""), "");
}

TEST(ClientTest, SaysThatNothingWasCarriedOutWhereNobodyListens) {
  // Port 1 of loopback: nobody listens there.
  auto client = Client::Create({.endpoints = {"127.0.0.1:1"}, .timeout = Milliseconds(300)});
  ASSERT_TRUE(client.ok()) << client.status();
  const auto put = (*client)->Put("k", "v");
  EXPECT_FALSE(put.ok());
  EXPECT_FALSE(MayHaveHappened(put.status())) << put.status();
  EXPECT_THAT(put.status().ToString(), HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(put.status().ToString(), HasSubstr("the write was not carried out"));
}

// ---- SessionNumbers ----

TEST(SessionNumbersTest, TheFloorIsTheLowestNumberWithoutAnAnswer) {
  SessionNumbers numbers;
  EXPECT_EQ(numbers.floor(), 1u);
  EXPECT_EQ(numbers.Take(), 1u);
  EXPECT_EQ(numbers.Take(), 2u);
  EXPECT_EQ(numbers.Take(), 3u);
  EXPECT_EQ(numbers.floor(), 1u);
  numbers.End(2);
  EXPECT_EQ(numbers.floor(), 1u);
  numbers.End(1);
  EXPECT_EQ(numbers.floor(), 3u);
  EXPECT_FALSE(numbers.IsIdle());
  numbers.End(3);
  EXPECT_EQ(numbers.floor(), 4u);
  EXPECT_TRUE(numbers.IsIdle());
}

}  // namespace
}  // namespace decree::rpc
