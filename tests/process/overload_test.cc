// Rule 12: what comes beyond a bound waits at its sender, or is refused at once and can be sent again; a peer that
// takes nothing costs its leader little and the clients nothing.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include "decree/v1/kv.grpc.pb.h"
#include "rpc/failure.h"
#include "tests/process/process_cluster.h"
#include "tests/process/raw_pipeline.h"

namespace decree::process {
namespace {

using testing::HasSubstr;

// Puts sent all at once, straight to one node, each once.
class Flood {
 public:
  Flood(const std::string& endpoint, size_t requests, size_t value_bytes)
      : stub_(v1::KV::NewStub(grpc::CreateChannel(endpoint, grpc::InsecureChannelCredentials()))) {
    for (size_t i = 0; i < requests; ++i) calls_.push_back(std::make_unique<Call>());
    for (size_t i = 0; i < requests; ++i) Send(*calls_[i], i, value_bytes);
  }
  ~Flood() { AwaitAnswers(calls_.size()); }

  void AwaitAnswers(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answered_ >= count; });
  }
  size_t Answered() {
    const std::lock_guard lock(mutex_);
    return answered_;
  }
  // How many of those answered so far.
  size_t Count(grpc::StatusCode code) {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::count_if(calls_.begin(), calls_.end(), [&](const auto& call) {
      return call->is_answered && call->status.error_code() == code;
    }));
  }
  // Each refusal says that nothing has happened and when to come again.
  void ExpectGoodRefusals() {
    const std::lock_guard lock(mutex_);
    for (const auto& call : calls_) {
      if (!call->is_answered || call->status.ok()) continue;
      ASSERT_EQ(call->status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << call->status.error_message();
      const auto detail = rpc::ReadErrorDetail(call->context);
      ASSERT_TRUE(detail.has_value());
      EXPECT_GT(detail->retry_after_ms(), 0u);
      EXPECT_TRUE(detail->safe_to_retry());
      EXPECT_EQ(detail->outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
    }
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::PutRequest request;
    v1::PutResponse response;
    grpc::Status status;
    bool is_answered = false;
  };

  void Send(Call& call, size_t number, size_t value_bytes) {
    call.context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    call.request.set_key(StrCat("flood", number));
    call.request.set_value(std::string(value_bytes, 'x'));
    stub_->async()->Put(&call.context, &call.request, &call.response, [this, &call](const grpc::Status& status) {
      const std::lock_guard lock(mutex_);
      call.status = status;
      call.is_answered = true;
      ++answered_;
      changed_.notify_all();
    });
  }

  const std::unique_ptr<v1::KV::Stub> stub_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t answered_ = 0;
};

// Nothing is chosen while the followers are stopped, and for long the leader does not step down.
class OverloadTest : public testing::Test {
 protected:
  static ProcessCluster::Arguments Patient(std::vector<std::string> serve) {
    const std::vector<std::string> timeouts{"--election-timeout-min-ms", "5000", "--election-timeout-max-ms", "6000"};
    serve.insert(serve.end(), timeouts.begin(), timeouts.end());
    return {.init = timeouts, .serve = serve};
  }
  static uint32_t StopFollowers(ProcessCluster& cluster) {
    const uint32_t leader = cluster.AwaitLeader();
    SignalFollowers(cluster, leader, SIGSTOP);
    return leader;
  }
  static void SignalFollowers(ProcessCluster& cluster, uint32_t leader, int signal) {
    for (uint32_t node = 1; node <= cluster.size(); ++node) {
      if (node != leader) cluster.Signal(node, signal);
    }
  }
};

TEST_F(OverloadTest, RequestsBeyondTheBoundAreRefusedWhileTheOthersWait) {
  constexpr size_t kRequestsMax = 20;
  constexpr size_t kSent = 100;
  ProcessCluster cluster(3, Patient({"--requests-max", std::to_string(kRequestsMax)}));
  const uint32_t leader = StopFollowers(cluster);
  Flood flood(cluster.Endpoint(leader), kSent, 10);
  flood.AwaitAnswers(kSent - kRequestsMax);
  EXPECT_EQ(flood.Count(grpc::StatusCode::RESOURCE_EXHAUSTED), kSent - kRequestsMax);
  flood.ExpectGoodRefusals();
  SignalFollowers(cluster, leader, SIGCONT);
  flood.AwaitAnswers(kSent);
  EXPECT_EQ(flood.Count(grpc::StatusCode::OK), kRequestsMax);
}

// It is read as it is served, and what was read is not refused: else whoever tries again sends all of it again, in
// vain.
TEST_F(OverloadTest, BytesBeyondTheBoundWait) {
  constexpr size_t kPendingMax = 4 << 20;
  constexpr size_t kValueBytes = 1 << 20;
  constexpr size_t kSent = 200;
  ProcessCluster cluster(3, Patient({"--pending-bytes-max", std::to_string(kPendingMax)}));
  const uint32_t leader = StopFollowers(cluster);
  Flood flood(cluster.Endpoint(leader), kSent, kValueBytes);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_EQ(flood.Answered(), 0u);
  EXPECT_LT(cluster.PeakBytes(leader), 96 << 20) << "they wait at their sender";
  SignalFollowers(cluster, leader, SIGCONT);
  flood.AwaitAnswers(kSent);
  EXPECT_EQ(flood.Count(grpc::StatusCode::OK), kSent);
}

// So many puts from each of a few clients; how many have failed.
uint64_t PutFrom(const ProcessCluster& cluster, uint32_t clients, uint32_t puts, size_t value_bytes) {
  std::atomic<uint64_t> failed = 0;
  std::vector<std::thread> threads;
  for (uint32_t id = 0; id < clients; ++id) {
    threads.emplace_back([&, id] {
      const auto client = cluster.NewClient(Seconds(60));
      for (uint32_t i = 0; i < puts; ++i) {
        const auto put = client->Put(StrCat("c", id, "-", i % 10), std::string(value_bytes, 'v'));
        if (put.ok()) continue;
        ++failed;
        ADD_FAILURE() << put.status();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failed;
}

// A pipeline that sends more than fits waits, in line with others, and nothing of it is refused.
TEST(BoundsTest, APipelineThatSendsMuchIsReadMoreSlowly) {
  constexpr size_t kPuts = 20'000;
  constexpr size_t kBatch = 500;
  ProcessCluster cluster(3, {.init = {}, .serve = {"--requests-max", "100"}});
  const uint32_t leader = cluster.AwaitLeader();
  for (const uint32_t node : {leader, leader % 3 + 1}) {
    RawPipeline pipeline(cluster.Endpoint(node));
    std::thread sender([&] {
      for (size_t id = 1; id <= kPuts; ++id) {
        pipeline.AddPut(id, StrCat("key", id % 100), "value");
        if (id % kBatch != 0) continue;
        EXPECT_TRUE(pipeline.Send());
      }
    });
    // A client with a single request waits for little of that.
    const auto other = cluster.NewClientOf(node);
    for (int i = 0; i < 20; ++i) {
      const auto start = std::chrono::steady_clock::now();
      EXPECT_TRUE(other->Put("other", "value").ok());
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
    }
    const auto answers = pipeline.Read(kPuts);
    sender.join();
    ASSERT_EQ(answers.size(), kPuts);
    for (const auto& [id, answer] : answers) ASSERT_TRUE(answer.has_put()) << answer.error().ShortDebugString();
  }
}

TEST(BoundsTest, AnOverloadedNodesClientsComeAgainAndAreServed) {
  ProcessCluster cluster(3, {.init = {}, .serve = {"--requests-max", "2"}});
  cluster.AwaitLeader();
  EXPECT_EQ(PutFrom(cluster, 6, 30, 10), 0u);
}

TEST(BoundsTest, AStoppedFollowerCostsLittleMemoryAndNoRequest) {
  constexpr size_t kValueBytes = 256 << 10;
  constexpr uint32_t kClients = 4;
  constexpr uint64_t kWarm = 48 << 20;
  constexpr uint64_t kWritten = 192 << 20;
  // What waits for the peer in its two streams, and what gRPC holds of a frame.
  constexpr uint64_t kAllowed = 96 << 20;
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  ASSERT_EQ(PutFrom(cluster, kClients, kWarm / kValueBytes / kClients, kValueBytes), 0u);
  const uint64_t before = cluster.ResidentBytes(leader);

  const uint32_t follower = leader % 3 + 1;
  cluster.Signal(follower, SIGSTOP);
  EXPECT_EQ(PutFrom(cluster, kClients, kWritten / kValueBytes / kClients, kValueBytes), 0u);
  const uint64_t after = cluster.ResidentBytes(leader);
  EXPECT_LT(after, before + kAllowed) << "before: " << before;
  std::cout << "leader grew from " << (before >> 20) << " to " << (after >> 20) << " MiB\n";

  cluster.Signal(follower, SIGCONT);
  EXPECT_TRUE(cluster.AwaitAgreement()) << "it does not catch up";
  EXPECT_EQ(cluster.StatusOf(leader).role(), "leader");
}

}  // namespace
}  // namespace decree::process
