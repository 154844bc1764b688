// The client's pipeline against a server that does what the test says.

#include "rpc/client/pipeline.h"

#include <atomic>
#include <functional>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <grpcpp/create_channel.h>

#include "paxos/base/posix_clock.h"
#include "rpc/client/client.h"
#include "rpc/loop/tag_order.h"
#include "tests/unit/rpc/client/fake_node.h"

namespace decree::rpc {
namespace {

using testing::ElementsAre;

// A put of a key, and how it ended.
class Put final : public Pipeline::Request {
 public:
  explicit Put(std::string key) : key_(std::move(key)) {}

  bool has_ended() const { return has_ended_; }
  uint64_t version() const { return version_; }
  const AttemptEnd& end() const { return end_; }

 private:
  void Fill(v1::PipelinedRequest& wire) override { wire.mutable_put()->set_key(key_); }
  void OnAnswer(v1::PipelinedResponse& answer) override {
    EXPECT_FALSE(std::exchange(has_ended_, true));
    version_ = answer.put().version();
  }
  void OnFailure(AttemptEnd end) override {
    EXPECT_FALSE(std::exchange(has_ended_, true));
    end_ = std::move(end);
  }

  const std::string key_;
  bool has_ended_ = false;
  uint64_t version_ = 0;
  AttemptEnd end_;
};

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() : PipelineTest(std::make_unique<FakeNode>()) {}
  ~PipelineTest() override {
    Close();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) static_cast<Event*>(tag)->OnEvent(ok);
  }

  // Ends what is under way.
  void Close() {
    pipeline_.Close();
    while (!pipeline_.is_closed()) Poll();
  }
  // Takes in what there is, and sends what has gathered.
  void Poll() {
    pipeline_.Flush();
    const gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(20, GPR_TIMESPAN));
    void* tag = nullptr;
    bool ok = false;
    if (TakeTag(queue_, deadline, &tag, &ok) == grpc::CompletionQueue::GOT_EVENT) {
      static_cast<Event*>(tag)->OnEvent(ok);
    }
  }
  void PollUntil(const std::function<bool()>& condition) {
    const Time limit = clock_.Now() + Seconds(20);
    while (!condition() && clock_.Now() < limit) Poll();
    ASSERT_TRUE(condition());
  }
  void AwaitEnd(const Put& put) {
    PollUntil([&] { return put.has_ended(); });
  }
  // What the node is sent next, polling meanwhile.
  v1::RequestBatch AwaitBatch() {
    std::optional<v1::RequestBatch> batch;
    std::atomic<bool> has_come{false};
    std::thread waiter([&] {
      batch = node_->AwaitBatch();
      has_come = true;
    });
    while (!has_come) Poll();
    waiter.join();
    return *batch;
  }
  Time InSeconds(int seconds) const { return clock_.Now() + Seconds(seconds); }

  static std::vector<std::string> KeysOf(const v1::RequestBatch& batch) {
    std::vector<std::string> keys;
    for (const v1::PipelinedRequest& request : batch.requests()) keys.push_back(request.put().key());
    return keys;
  }

  const PosixClock clock_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<FakeNode> node_;
  std::vector<Time> expires_;
  Pipeline pipeline_;

 private:
  explicit PipelineTest(std::unique_ptr<FakeNode> node)
      : node_(std::move(node)),
        pipeline_(v1::KV::NewStub(grpc::CreateChannel(node_->address(), grpc::InsecureChannelCredentials())), queue_,
                  clock_, [this](Time when) { expires_.push_back(when); }) {}
};

TEST_F(PipelineTest, WhatGathersGoesInOneBatchAndAnswersComeInAnyOrder) {
  Put first("a"), second("b"), third("c");
  pipeline_.SendLater(first, InSeconds(30));
  pipeline_.SendLater(second, InSeconds(30));
  pipeline_.Send(third, InSeconds(30));
  const v1::RequestBatch batch = AwaitBatch();
  EXPECT_THAT(KeysOf(batch), ElementsAre("a", "b", "c"));
  for (const v1::PipelinedRequest& request : batch.requests()) {
    EXPECT_GT(request.time_left_us(), 20'000'000u);
    EXPECT_LE(request.time_left_us(), 30'000'000u);
  }
  node_->AnswerPut(batch.requests(2).id());
  AwaitEnd(third);
  EXPECT_FALSE(first.has_ended());
  node_->AnswerPut(batch.requests(0).id());
  node_->AnswerPut(batch.requests(1).id());
  AwaitEnd(second);
  EXPECT_TRUE(first.has_ended());
  EXPECT_EQ(first.version(), batch.requests(0).id());
  EXPECT_TRUE(first.end().status.ok());
}

TEST_F(PipelineTest, ErrorIsThatOfOneRequest) {
  Put put("a"), other("b");
  pipeline_.SendLater(put, InSeconds(30));
  pipeline_.SendLater(other, InSeconds(30));
  const v1::RequestBatch batch = AwaitBatch();
  v1::ResponseBatch answers;
  answers.add_responses()->set_id(batch.requests(0).id());
  v1::RequestError& error = *answers.mutable_responses(0)->mutable_error();
  error.set_code(grpc::StatusCode::UNAVAILABLE);
  error.set_message("does not lead");
  error.mutable_detail()->set_leader(3);
  node_->Answer(answers);
  AwaitEnd(put);
  EXPECT_EQ(put.end().status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(put.end().status.error_message(), "does not lead");
  ASSERT_TRUE(put.end().detail.has_value());
  EXPECT_EQ(put.end().detail->leader(), 3u);
  EXPECT_FALSE(other.has_ended());
  node_->AnswerPut(batch.requests(1).id());
  AwaitEnd(other);
  EXPECT_TRUE(other.end().status.ok());
}

TEST_F(PipelineTest, DeadlineIsOneRequestsAndALateAnswerIsNobodys) {
  Put hasty("a"), patient("b");
  pipeline_.SendLater(patient, InSeconds(30));
  EXPECT_EQ(expires_.size(), 1u);
  pipeline_.SendLater(hasty, clock_.Now() + Milliseconds(50));
  EXPECT_EQ(expires_.size(), 2u) << "the earlier deadline must be told";
  const v1::RequestBatch batch = AwaitBatch();
  PollUntil([&] { return clock_.Now() >= expires_.back(); });
  EXPECT_FALSE(hasty.has_ended());
  pipeline_.Expire();
  ASSERT_TRUE(hasty.has_ended());
  EXPECT_EQ(hasty.end().status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(hasty.end().was_sent);
  EXPECT_EQ(expires_.back(), expires_.front()) << "the next is the patient one's";
  node_->AnswerPut(batch.requests(1).id());
  node_->AnswerPut(batch.requests(0).id());
  AwaitEnd(patient);
  EXPECT_TRUE(patient.end().status.ok());
}

TEST_F(PipelineTest, BrokenStreamFailsWhatIsUnderWayAndTheNextRequestOpensAnother) {
  Put sent("a");
  pipeline_.Send(sent, InSeconds(30));
  AwaitBatch();
  node_->Break();
  AwaitEnd(sent);
  EXPECT_FALSE(sent.end().status.ok());
  EXPECT_TRUE(sent.end().was_sent) << "it may have been carried out";
  EXPECT_FALSE(sent.end().detail.has_value());

  Put next("b");
  pipeline_.Send(next, InSeconds(30));
  const v1::RequestBatch batch = AwaitBatch();
  EXPECT_THAT(KeysOf(batch), ElementsAre("b"));
  node_->AnswerPut(batch.requests(0).id());
  AwaitEnd(next);
  EXPECT_TRUE(next.end().status.ok());
}

TEST_F(PipelineTest, RequestThatNeverLeftIsKnownNotToHaveBeenSent) {
  node_->Stop();
  Put put("a");
  pipeline_.Send(put, InSeconds(30));
  AwaitEnd(put);
  EXPECT_EQ(put.end().status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(put.end().was_sent);
}

TEST_F(PipelineTest, ExpiredRequestIsNotSent) {
  Put expired("a"), next("b");
  pipeline_.SendLater(expired, clock_.Now());
  pipeline_.Expire();
  ASSERT_TRUE(expired.has_ended());
  EXPECT_FALSE(expired.end().was_sent);
  pipeline_.Send(next, InSeconds(30));
  EXPECT_THAT(KeysOf(AwaitBatch()), ElementsAre("b"));
  Close();
}

TEST_F(PipelineTest, OnlyWhatHasNotLeftCanBeWithdrawn) {
  Put sent("a"), unsent("b");
  pipeline_.Send(sent, InSeconds(30));
  const v1::RequestBatch batch = AwaitBatch();
  pipeline_.SendLater(unsent, InSeconds(30));
  pipeline_.Withdraw(sent);
  pipeline_.Withdraw(unsent);
  EXPECT_FALSE(sent.has_ended());
  ASSERT_TRUE(unsent.has_ended());
  EXPECT_EQ(unsent.end().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_FALSE(unsent.end().was_sent);
  pipeline_.Withdraw(unsent);
  node_->AnswerPut(batch.requests(0).id());
  AwaitEnd(sent);
  EXPECT_TRUE(sent.end().status.ok());
}

TEST_F(PipelineTest, CloseEndsWhatIsUnderWayAndWhatComesYet) {
  Put under_way("a"), too_late("b");
  pipeline_.Send(under_way, InSeconds(30));
  AwaitBatch();
  pipeline_.Close();
  AwaitEnd(under_way);
  EXPECT_EQ(under_way.end().status.error_code(), grpc::StatusCode::CANCELLED);
  pipeline_.SendLater(too_late, InSeconds(30));
  AwaitEnd(too_late);
  EXPECT_EQ(too_late.end().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_FALSE(too_late.end().was_sent);
}

TEST_F(PipelineTest, ManyThreadsSend) {
  constexpr int kThreads = 4, kPuts = 250;
  node_->AnswerAll();
  std::deque<Put> puts;
  for (int i = 0; i < kThreads * kPuts; ++i) puts.emplace_back(std::to_string(i));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, &puts, thread] {
      for (int i = 0; i < kPuts; ++i) {
        pipeline_.Send(puts[static_cast<size_t>(thread * kPuts + i)], InSeconds(30));
      }
    });
  }
  for (const Put& put : puts) AwaitEnd(put);
  for (std::thread& thread : threads) thread.join();
  for (const Put& put : puts) EXPECT_TRUE(put.end().status.ok() && put.version() > 0);
}

TEST(PipelinedOperationTest, AnswerOfAnotherKindIsNone) {
  FakeNode node;
  node.AnswerAll();
  const auto client = Client::Create({.endpoints = {node.address()}, .sessions = false});
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE((*client)->Put("k", "v").ok());
  const auto deleted = (*client)->Delete("k");
  EXPECT_EQ(deleted.status().code(), absl::StatusCode::kInternal) << deleted.status();
  EXPECT_TRUE(MayHaveHappened(deleted.status()));
}

TEST_F(PipelineTest, LargeRequestsAreSpreadOverBatches) {
  std::deque<Put> puts;
  for (int i = 0; i < 5; ++i) {
    pipeline_.SendLater(puts.emplace_back(std::string(600 << 10, 'a')), InSeconds(30));
  }
  int count = 0;
  for (int largest = 0; count < 5; count += largest) {
    largest = AwaitBatch().requests_size();
    EXPECT_LE(largest, 2) << "a batch is to be little more than 1 MiB";
  }
  EXPECT_EQ(count, 5);
  Close();
}

}  // namespace
}  // namespace decree::rpc
