// A node that is cut off from the others and not from its clients. Those that have all nodes to ask must hardly
// notice, and those that have only this one must be told at once.

#include <signal.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <grpcpp/create_channel.h>

#include "decree/v1/kv.grpc.pb.h"
#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// Puts and gets, a few hundred a second, by a client of all nodes; keeps what failed.
class Requests {
 public:
  explicit Requests(const ProcessCluster& cluster) : client_(cluster.NewClient()), thread_([this] { Run(); }) {}
  ~Requests() { Stop(); }

  // Waits for all answers.
  std::vector<std::string> Stop() {
    stops_ = true;
    if (thread_.joinable()) thread_.join();
    WaitFor([this] { return pending_ == 0; });
    return failures_;
  }

 private:
  template <typename Response>
  auto Note() {
    ++pending_;
    return [this](const StatusOr<Response>& response) {
      // The client's own thread; it has ended when this is read.
      if (!response.ok()) failures_.push_back(response.status().ToString());
      --pending_;
    };
  }
  void Run() {
    for (int i = 0; !stops_; ++i) {
      v1::PutRequest put;
      put.set_key(StrCat("key", i % 100));
      put.set_value("v");
      client_->Put(put, Note<v1::PutResponse>());
      v1::GetRequest get;
      get.set_key(StrCat("key", i % 100));
      client_->Get(get, Note<v1::GetResponse>());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  std::vector<std::string> failures_;
  std::atomic<int> pending_{0};
  std::atomic<bool> stops_{false};
  const std::unique_ptr<rpc::Client> client_;
  std::thread thread_;
};

class ProxiedCluster {
 protected:
  ProxiedCluster() : cluster_(3, {.init = {}, .serve = {}, .has_proxies = true}), leader_(cluster_.AwaitLeader()) {}

  uint32_t AnyFollower() const { return leader_ % 3 + 1; }
  // Isolates it, and waits until it has noticed.
  void IsolateAFollower() {
    cluster_.Isolate(AnyFollower());
    ASSERT_TRUE(WaitFor([&] {
      const auto status = cluster_.StatusOf(AnyFollower());
      return testing::Value(status.problems(), Contains(HasSubstr("hears no quorum")));
    }));
  }

  ProcessCluster cluster_;
  const uint32_t leader_;
};

// ---- A leader ----

enum class Direction { kBoth, kSends, kHears };

class CutOffLeaderTest : public testing::TestWithParam<Direction>, protected ProxiedCluster {
 protected:
  // Nothing that it sends arrives any more, or nothing that is sent to it, or neither.
  void CutOffTheLeader() {
    for (uint32_t other = 1; other <= cluster_.size(); ++other) {
      if (other == leader_) continue;
      if (GetParam() != Direction::kHears) cluster_.Cut(leader_, other);
      if (GetParam() != Direction::kSends) cluster_.Cut(other, leader_);
    }
  }
};

TEST_P(CutOffLeaderTest, IsReplacedAndNoRequestOfTheLibraryFails) {
  Requests requests(cluster_);
  const auto client = cluster_.NewClient();
  ASSERT_TRUE(client->Put("key", "v").ok());
  CutOffTheLeader();
  const auto start = steady_clock::now();
  std::future<double> elected = std::async(std::launch::async, [&] {
    cluster_.AwaitLeader(leader_);
    return SecondsSince(start);
  });
  const auto put = client->Put("key", "w");
  const double seconds = SecondsSince(start);
  EXPECT_TRUE(put.ok()) << put.status();
  std::cout << "the first write after the cut took " << seconds << " s\n";
  EXPECT_LT(seconds, elected.get() + 1);
  // The client has learnt whom to ask: the old leader would cost half a second each time.
  const auto next = steady_clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client->Put("key", "x").ok());
  EXPECT_LT(SecondsSince(next), 5);
  cluster_.Heal();
  EXPECT_THAT(requests.Stop(), IsEmpty());
  EXPECT_TRUE(cluster_.AwaitAgreement());
}

INSTANTIATE_TEST_SUITE_P(Ways, CutOffLeaderTest,
                         testing::Values(Direction::kBoth, Direction::kSends, Direction::kHears), [](const auto& it) {
                           return it.param == Direction::kBoth    ? "Both"
                                  : it.param == Direction::kSends ? "WhatItSends"
                                                                  : "WhatItHears";
                         });

// ---- Any node ----

class IsolatedNodeTest : public testing::Test, protected ProxiedCluster {};

TEST_F(IsolatedNodeTest, AsTheFirstEndpointItCostsLittle) {
  IsolateAFollower();
  std::vector<std::string> endpoints{cluster_.Endpoint(AnyFollower())};
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != AnyFollower()) endpoints.push_back(cluster_.Endpoint(node));
  }
  double longest = 0;
  for (int i = 0; i < 10; ++i) {
    // A client for one request, as a command has it.
    const auto start = steady_clock::now();
    const auto client = rpc::Client::Create({.endpoints = endpoints});
    ASSERT_TRUE(client.ok());
    const auto put = (*client)->Put("key", "v");
    EXPECT_TRUE(put.ok()) << put.status();
    const auto get = (*client)->Get("key");
    EXPECT_TRUE(get.ok()) << get.status();
    longest = std::max(longest, SecondsSince(start));
  }
  std::cout << "a put and a get took " << longest << " s at most\n";
  EXPECT_LT(longest, 0.5);
}

TEST_F(IsolatedNodeTest, TellsAtOnceToAskAnother) {
  IsolateAFollower();
  // A request without the library, which would try again.
  const auto client =
      rpc::Client::Create({.endpoints = {cluster_.Endpoint(AnyFollower())}, .timeout = Seconds(2), .sessions = false});
  ASSERT_TRUE(client.ok());
  const auto put = (*client)->Put("key", "v");
  ASSERT_FALSE(put.ok());
  EXPECT_FALSE(rpc::MayHaveHappened(put.status())) << put.status();
  EXPECT_EQ(rpc::ErrorDetailOf(put.status()).reason(), v1::ErrorDetail::REASON_ASK_ANOTHER) << put.status();
  EXPECT_THAT(put.status().ToString(), HasSubstr("hears no quorum of the cluster; ask another node"));
  EXPECT_THAT(put.status().ToString(), HasSubstr("attempts)")) << "each was answered at once";
  const auto get = (*client)->Get("key");
  EXPECT_THAT(get.status().ToString(), HasSubstr("a stale read would be"));
  EXPECT_TRUE((*client)->Get("key", v1::READ_MODE_STALE).ok());
  // And is of use again as soon as it hears the others.
  cluster_.Heal();
  EXPECT_TRUE(WaitFor([&] { return (*client)->Put("key", "v").ok(); }));
}

TEST_F(IsolatedNodeTest, OneThatHearsAQuorumAndNoLeaderHoldsARequestForAWhile) {
  const uint32_t node = AnyFollower();
  cluster_.Cut(leader_, node);
  cluster_.Cut(node, leader_);
  ASSERT_TRUE(WaitFor([&] { return cluster_.StatusOf(node).leader() == 0; }));
  const auto stub = v1::KV::NewStub(grpc::CreateChannel(cluster_.Endpoint(node), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::PutRequest put;
  put.set_key("key");
  v1::PutResponse response;
  const auto start = steady_clock::now();
  const grpc::Status status = stub->Put(&context, put, &response);
  const double seconds = SecondsSince(start);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("hears a quorum of the cluster, but no leader; ask another node"));
  EXPECT_GT(seconds, 1) << "as in each change of leader, one may come";
  EXPECT_LT(seconds, 5) << "not until its deadline";
}

TEST_F(IsolatedNodeTest, AWriteInFlightIsToldToBeUnknown) {
  auto raw = rpc::Client::Create({.endpoints = {cluster_.Endpoint(leader_)}, .sessions = false});
  ASSERT_TRUE(raw.ok());
  ASSERT_TRUE((*raw)->Put("key", "v").ok());
  cluster_.Isolate(leader_);
  const auto start = steady_clock::now();
  const auto put = (*raw)->Put("key", "w");
  ASSERT_FALSE(put.ok());
  EXPECT_TRUE(rpc::MayHaveHappened(put.status())) << put.status();
  EXPECT_THAT(put.status().ToString(), HasSubstr("leads no more"));
  EXPECT_LT(SecondsSince(start), 3) << "not only at its deadline";
}

TEST_F(IsolatedNodeTest, OneThatIsLeftOfThreeSaysSo) {
  const uint32_t left = AnyFollower();
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != left) cluster_.Kill(node);
  }
  const auto client = cluster_.NewClientOf(left, Seconds(3));
  const auto put = client->Put("key", "v");
  EXPECT_THAT(put.status().ToString(), HasSubstr("hears no quorum of the cluster"));
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != left) cluster_.Start(node);
  }
  EXPECT_TRUE(WaitFor([&] { return client->Put("key", "v").ok(); }));
}

}  // namespace
}  // namespace decree::process
