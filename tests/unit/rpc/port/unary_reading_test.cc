// How requests of unary calls come in, at a port as nodes have it.

#include "rpc/loop/unary_reading.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "decree/v1/kv.pb.h"
#include "rpc/channel_arguments.h"
#include "rpc/loop/unary_call.h"
#include "rpc/port/port.h"
#include "tests/unit/rpc/port/caller.h"

namespace decree::rpc {
namespace {

constexpr char kPut[] = "/test.Service/Put";
constexpr size_t kKiB = 1 << 10;
// So many requests of a connection of which nothing is known are read at a time.
constexpr size_t kUnknownAtATime = 4;

v1::PutRequest RequestOf(size_t bytes) {
  v1::PutRequest request;
  request.set_value(std::string(bytes, 'x'));
  return request;
}

;

class UnaryReadingTest : public testing::Test {
 protected:
  UnaryReadingTest() {
    EXPECT_TRUE(port_.Bind().ok());
    EXPECT_TRUE(port_.Serve().ok());
    OfferUnary<v1::PutRequest, v1::PutResponse>(port_.methods(), kPut, &admission_,
                                                [this](const auto& call) { served_.push_back(call); });
    port_.Open();
  }
  ~UnaryReadingTest() override {
    served_.clear();
    port_.StopListening();
    port_.Shutdown(std::chrono::system_clock::now());
    while (loop_.pending() > 0) GoRound(loop_);
  }

  std::string address() const { return StrCat("127.0.0.1:", port_.number()); }
  // So many that say nothing, until they have arrived.
  std::vector<Caller::Call*> BeginSilent(Caller& caller, size_t count) {
    const size_t before = port_.CountUsage().calls;
    std::vector<Caller::Call*> calls;
    for (size_t i = 0; i < count; ++i) calls.push_back(&caller.Begin(kPut));
    while (port_.CountUsage().calls < before + count) GoRound(loop_);
    return calls;
  }
  // Until so many were served.
  void AwaitServed(size_t count) {
    while (served_.size() < count) GoRound(loop_);
  }
  // Nothing more is served though it had its time.
  void ExpectServed(size_t count) {
    const Time end = loop_.Now() + Milliseconds(50);
    while (loop_.Now() < end) GoRound(loop_);
    EXPECT_EQ(served_.size(), count);
  }
  void AwaitWaiting(size_t count) {
    while (admission_.waiting() < count) GoRound(loop_);
  }
  void Answer(size_t served) {
    served_[served]->Finish();
    served_[served] = nullptr;
  }

  ShiftedClock clock_;
  EventLoop loop_{clock_};
  Budget answers_{loop_, {}};
  Admission admission_{loop_, {.requests_max = 100, .bytes_max = 300 * kKiB}};
  Port port_{
      loop_,
      answers_,
      {.address = "127.0.0.1:0", .purpose = "is for tests", .calls_told = 1000, .message_bytes_max = kMessageBytesMax}};
  std::vector<CallPtr<v1::PutRequest, v1::PutResponse>> served_;
};

TEST_F(UnaryReadingTest, AFewOfAFreshConnectionAreReadAtATime) {
  Caller caller(loop_, address());
  const std::vector<Caller::Call*> silent = BeginSilent(caller, kUnknownAtATime);
  caller.Send(kPut, RequestOf(10));
  ExpectServed(0);
  // Others do not wait for that.
  Caller other(loop_, address());
  other.Send(kPut, RequestOf(10));
  AwaitServed(1);
  silent[0]->context.TryCancel();
  AwaitServed(2);
}

TEST_F(UnaryReadingTest, AsManyAreReadAsTheLastOnesWereSmall) {
  Caller caller(loop_, address());
  caller.Send(kPut, RequestOf(10));
  AwaitServed(1);
  BeginSilent(caller, 5 * kUnknownAtATime);
  caller.Send(kPut, RequestOf(10));
  AwaitServed(2);
}

TEST_F(UnaryReadingTest, AfterALargeOneAFewAreReadAtATime) {
  Caller caller(loop_, address());
  // A connection without a call is forgotten.
  BeginSilent(caller, 1);
  caller.Send(kPut, RequestOf(1024 * kKiB));
  AwaitServed(1);
  Answer(0);
  while (port_.CountUsage().calls > 1) GoRound(loop_);
  BeginSilent(caller, 4);
  caller.Send(kPut, RequestOf(10));
  ExpectServed(1);
}

TEST_F(UnaryReadingTest, MoreThanMayWaitAreRefused) {
  Caller caller(loop_, address());
  BeginSilent(caller, kUnknownAtATime + 256);
  const grpc::Status status = caller.Status(caller.Begin(kPut));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
}

TEST_F(UnaryReadingTest, WhatFindsNoPlaceWaitsForOne) {
  Caller caller(loop_, address());
  for (int i = 0; i < 3; ++i) caller.Send(kPut, RequestOf(200 * kKiB));
  AwaitServed(1);
  // One for which there is room stands behind them.
  Caller other(loop_, address());
  other.Send(kPut, RequestOf(10));
  AwaitWaiting(3);
  ExpectServed(1);
  Answer(0);
  AwaitServed(2);
  EXPECT_GT(served_[1]->request().value().size(), 10u);
  Answer(1);
  AwaitServed(3);
}

TEST_F(UnaryReadingTest, WhoeverHasGoneHoldsNothingInTheLine) {
  Caller caller(loop_, address());
  caller.Send(kPut, RequestOf(200 * kKiB));
  AwaitServed(1);
  std::vector<Caller::Call*> gone;
  for (int i = 0; i < 4; ++i) gone.push_back(&caller.Send(kPut, RequestOf(1024 * kKiB)));
  AwaitWaiting(4);
  for (Caller::Call* const call : gone) {
    call->context.TryCancel();
    caller.Status(*call);
  }
  // It is read, though the line is as long as it was.
  caller.Send(kPut, RequestOf(10));
  AwaitWaiting(5);
}

// The requests that keep others waiting are whole, and it is not their senders' fault.
TEST_F(UnaryReadingTest, WhoWaitsForAPlaceIsNotCutOff) {
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<Caller::Call*> calls;
  callers.push_back(std::make_unique<Caller>(loop_, address()));
  callers[0]->Send(kPut, RequestOf(200 * kKiB));
  AwaitServed(1);
  // Large ones take three quarters of the room.
  while (admission_.waiting() < 18) {
    callers.push_back(std::make_unique<Caller>(loop_, address()));
    for (int i = 0; i < 3; ++i) {
      calls.push_back(&callers.back()->Send(kPut, RequestOf(1024 * kKiB)));
      AwaitWaiting(calls.size());
    }
  }
  // The last connection's first request is read; now that it is known for large ones, the second is not.
  callers.push_back(std::make_unique<Caller>(loop_, address()));
  callers.back()->Send(kPut, RequestOf(1024 * kKiB));
  AwaitWaiting(19);
  callers.back()->Send(kPut, RequestOf(1024 * kKiB));
  for (int second = 0; second < 15; ++second) {
    clock_.Pass(Seconds(1));
    ExpectServed(1);
  }
  EXPECT_EQ(admission_.waiting(), 19u);
  EXPECT_EQ(port_.CountUsage().calls, 21u);
}

TEST_F(UnaryReadingTest, WhoeverHasGoneGivesItsTurnToOthers) {
  Caller caller(loop_, address());
  caller.Send(kPut, RequestOf(200 * kKiB));
  AwaitServed(1);
  Caller::Call& gone = caller.Send(kPut, RequestOf(201 * kKiB));
  AwaitWaiting(1);
  caller.Send(kPut, RequestOf(202 * kKiB));
  AwaitWaiting(2);
  gone.context.TryCancel();
  EXPECT_EQ(caller.Status(gone).error_code(), grpc::StatusCode::CANCELLED);
  ExpectServed(1);
  Answer(0);
  AwaitServed(2);
  EXPECT_EQ(served_[1]->request().value().size(), 202 * kKiB);
}

TEST_F(UnaryReadingTest, WhereThereAreTooManyRequestsItIsServedWithoutAPlace) {
  std::vector<Admission::Place> places;
  while (!admission_.HasAllRequests()) places.push_back(admission_.Enter(1));
  Caller caller(loop_, address());
  caller.Send(kPut, RequestOf(10));
  AwaitServed(1);
  EXPECT_FALSE(served_[0]->has_place());
}

TEST_F(UnaryReadingTest, WhatWaitsToBeReadIsRefusedAtTheEnd) {
  Caller caller(loop_, address());
  BeginSilent(caller, kUnknownAtATime);
  Caller::Call& waits = caller.Send(kPut, RequestOf(10));
  ExpectServed(0);
  port_.StopListening();
  EXPECT_EQ(caller.Status(waits).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace decree::rpc
