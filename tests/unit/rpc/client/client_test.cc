// The client against nodes that are silent, or of no use.

#include "rpc/client/client.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/base/posix_clock.h"
#include "tests/unit/rpc/client/fake_node.h"

namespace decree::rpc {
namespace {

TEST(ClientTest, PassesOverAnEndpointThatDoesNotConnect) {
  const SilentPort silent;
  FakeNode node;
  node.AnswerAll();
  const ClientOptions options{.endpoints = {silent.address(), node.address()},
                              .timeout = Seconds(60),
                              .attempt_timeout = Seconds(60),
                              .sessions = false};
  const PosixClock clock;
  Duration fastest_put = Seconds(60);
  Duration fastest_range = Seconds(60);
  for (int i = 0; i < 3; ++i) {
    Time start = clock.Now();
    EXPECT_TRUE((*Client::Create(options))->Put("a", "b").ok()) << "by the pipeline";
    fastest_put = std::min(fastest_put, clock.Now() - start);
    start = clock.Now();
    const auto range = (*Client::Create(options))->Range({});
    EXPECT_EQ(range.status().code(), absl::StatusCode::kUnimplemented) << "the node's own answer: " << range.status();
    fastest_range = std::min(fastest_range, clock.Now() - start);
  }
  // gRPC itself takes a second to find out.
  EXPECT_LT(fastest_put, Milliseconds(900));
  EXPECT_LT(fastest_range, Milliseconds(900));
}

// gRPC would refuse it, there or here, and nobody could tell what has become of it.
TEST(ClientTest, ARequestThatIsTooLargeIsNotSent) {
  const SilentPort silent;
  const auto client = Client::Create({.endpoints = {silent.address()}, .timeout = Seconds(60)});
  const auto put = (*client)->Put("a", std::string(4 << 20, 'v'));
  EXPECT_EQ(put.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(MayHaveHappened(put.status()));
  EXPECT_THAT(put.status().ToString(), testing::HasSubstr("the request takes 4194312 bytes, more than the 4193280"));
}

TEST(ClientTest, ANodeThatLetsNoStreamInIsPassedOver) {
  FakeNode full, other;
  full.RefuseStreams();
  other.AnswerAll();
  ClientOptions options{
      .endpoints = {full.address(), other.address()}, .timeout = Milliseconds(600), .sessions = false};
  EXPECT_TRUE((*Client::Create(options))->Put("a", "b").ok());
  options.endpoints.pop_back();
  const auto put = (*Client::Create(options))->Put("a", "b");
  EXPECT_EQ(ErrorDetailOf(put.status()).reason(), v1::ErrorDetail::REASON_ASK_ANOTHER) << put.status();
  EXPECT_FALSE(MayHaveHappened(put.status())) << put.status();
}

TEST(ClientTest, AWriteWaitsForASessionForAsLongAsItHas) {
  const SilentPort silent;
  const auto client = Client::Create({.endpoints = {silent.address()}, .timeout = Milliseconds(1000)});
  const PosixClock clock;
  std::atomic<bool> has_first_ended{false};
  (*client)->Put(v1::PutRequest(), [&](const StatusOr<v1::PutResponse>& put) {
    EXPECT_FALSE(put.ok());
    has_first_ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  // It joins those that wait, and is not to end with them.
  const Time start = clock.Now();
  const auto put = (*client)->Put("a", "b");
  EXPECT_GE(clock.Now() - start, Milliseconds(900));
  EXPECT_TRUE(has_first_ended);
  EXPECT_FALSE(MayHaveHappened(put.status()));
  EXPECT_THAT(put.status().ToString(), testing::HasSubstr("put: open a session: "));
}

TEST(ClientTest, ASessionIsOpenedAgainForThoseThatStillWait) {
  FakeNode node;
  node.AnswerAll();
  const auto client = Client::Create({.endpoints = {node.address()}, .timeout = Milliseconds(1000)});
  std::atomic<int> failed{0};
  std::atomic<int> served{0};
  const auto note = [&](const StatusOr<v1::PutResponse>& put) { put.ok() ? ++served : ++failed; };
  (*client)->Put(v1::PutRequest(), note);
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  (*client)->Put(v1::PutRequest(), note);
  while (failed == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  node.LetSessionsOpen();
  while (failed + served < 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(served, 1) << "it had time left when the first gave up";
}

TEST(ClientTest, AShortTimeIsNotDividedByTheNumberOfEndpoints) {
  FakeNode node;
  const SilentPort silent, another;
  const auto client = Client::Create(
      {.endpoints = {node.address(), silent.address(), another.address()}, .timeout = Milliseconds(450)});
  // The only one that answers takes most of the time for it.
  std::thread late([&] {
    const v1::RequestBatch batch = node.AwaitBatch();
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    v1::ResponseBatch answers;
    answers.add_responses()->set_id(batch.requests(0).id());
    answers.mutable_responses(0)->mutable_get();
    node.Answer(answers);
  });
  EXPECT_TRUE((*client)->Get("a").ok());
  late.join();
}

// A client of two nodes that are of no use for a while.
class UselessNodesTest : public testing::Test {
 protected:
  explicit UselessNodesTest(Duration timeout = Seconds(60)) {
    first_.BeOfNoUse(true);
    second_.BeOfNoUse(true);
    client_ =
        *Client::Create({.endpoints = {first_.address(), second_.address()}, .timeout = timeout, .sessions = false});
  }
  void Put(int count) {
    for (int i = 0; i < count; ++i) {
      client_->Put(v1::PutRequest(),
                   [this](const StatusOr<v1::PutResponse>& put) { put.ok() ? ++served_ : ++failed_; });
    }
  }
  int requests() const { return first_.requests() + second_.requests(); }
  bool WaitFor(const std::function<bool()>& condition) const {
    const Time limit = PosixClock().Now() + Seconds(20);
    while (!condition() && PosixClock().Now() < limit) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return condition();
  }

  FakeNode first_, second_;
  std::unique_ptr<Client> client_;
  std::atomic<int> served_{0};
  std::atomic<int> failed_{0};
};

TEST_F(UselessNodesTest, OneRequestAfterAnotherFindsOutWhetherThatHasChanged) {
  Put(1000);
  ASSERT_TRUE(WaitFor([&] { return first_.requests() > 0 && second_.requests() > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const int before = requests();
  Put(1000);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_GT(requests(), before);
  EXPECT_LT(requests(), before + 100) << "the rest waits";
  EXPECT_EQ(served_ + failed_, 0);
  second_.BeOfNoUse(false);
  EXPECT_TRUE(WaitFor([&] { return served_ == 2000; })) << served_;
}

class ImpatientTest : public UselessNodesTest {
 protected:
  ImpatientTest() : UselessNodesTest(Milliseconds(600)) {}
};

TEST_F(ImpatientTest, WhatHasWaitedInVainIsToldWhy) {
  const auto put = client_->Put("a", "b");
  EXPECT_EQ(put.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorDetailOf(put.status()).reason(), v1::ErrorDetail::REASON_ASK_ANOTHER);
  EXPECT_THAT(put.status().ToString(), testing::HasSubstr("put: no quorum (after "));
  Put(100);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Put(100);
  EXPECT_TRUE(WaitFor([&] { return failed_ == 200; })) << failed_;
  // The client ends at once though some are waiting.
  Put(100);
}

}  // namespace
}  // namespace decree::rpc
