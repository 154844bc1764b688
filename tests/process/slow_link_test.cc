// Large values over links that take longer for one than an unanswered Accept waits. Each must go over them once: a
// copy would queue behind the first, and the next value behind the copy.

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/process/process_cluster.h"
#include "tests/process/raw_pipeline.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kMegabyte = 1'000'000;
constexpr uint64_t kBytesPerSecond = 20 * kMegabyte / 8;
constexpr int kPuts = 12;
constexpr double kIdealSeconds = static_cast<double>(kPuts * kMegabyte) / kBytesPerSecond;

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

class SlowLinkTest : public testing::Test {
 protected:
  SlowLinkTest() : cluster_(3, {.init = {}, .serve = {}, .has_proxies = true}), leader_(cluster_.AwaitLeader()) {}

  void SetRates(uint64_t bytes_per_second) {
    for (const uint32_t node : {1, 2, 3}) cluster_.LinkTo(node).SetRate(bytes_per_second);
  }

  // As many requests as a client has under way; each is to be answered.
  void PutLargeValues(rpc::Client& client) {
    std::vector<std::promise<Status>> done(kPuts);
    for (int i = 0; i < kPuts; ++i) {
      v1::PutRequest put;
      put.set_key(StrCat("large", i));
      put.set_value(std::string(kMegabyte, 'v'));
      client.Put(put, [&, i](const auto& answer) { done[i].set_value(answer.status()); });
    }
    for (auto& one : done) {
      const Status status = one.get_future().get();
      EXPECT_TRUE(status.ok()) << status;
    }
  }

  ProcessCluster cluster_;
  const uint32_t leader_;
};

TEST_F(SlowLinkTest, EachLargeValueGoesOverItOnce) {
  SetRates(kBytesPerSecond);
  std::vector<uint64_t> passed(4);
  for (const uint32_t node : {1, 2, 3}) passed[node] = cluster_.LinkTo(node).passed();
  const auto start = steady_clock::now();
  PutLargeValues(*cluster_.NewClientOf(leader_, Seconds(60)));
  const double seconds = SecondsSince(start);
  std::cout << seconds << " s, " << seconds / kIdealSeconds << " of what the links allow\n";
  EXPECT_LT(seconds, 1.5 * kIdealSeconds);
  EXPECT_TRUE(cluster_.AwaitAgreement());
  for (const uint32_t node : {1, 2, 3}) {
    if (node == leader_) continue;
    const double sent = static_cast<double>(cluster_.LinkTo(node).passed() - passed[node]);
    std::cout << "n" << node << " was sent " << sent / kMegabyte << " of " << kPuts << " MB\n";
    EXPECT_LT(sent, 1.2 * kPuts * kMegabyte) << cluster_.Log(leader_);
  }
}

TEST_F(SlowLinkTest, ALeaderThatDiesAmongLargeValuesIsReplaced) {
  SetRates(kBytesPerSecond);
  const auto client = cluster_.NewClient(Seconds(60));
  auto puts = std::async(std::launch::async, [&] { PutLargeValues(*client); });
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  cluster_.Kill(leader_);
  const auto start = steady_clock::now();
  const auto put = cluster_.NewClient(Seconds(30))->Put("next", "v");
  const double seconds = SecondsSince(start);
  EXPECT_TRUE(put.ok()) << put.status();
  puts.get();
  std::cout << "the next write took " << seconds << " s, all of them " << SecondsSince(start) << " s\n";
  // They may all have to be sent to the new quorum, after an election.
  EXPECT_LT(SecondsSince(start), 2 * kIdealSeconds + 5);
}

// An answer takes longer than a client waits before it sends the request again, to the same node or another. The copies
// must not take the place of what others have to say.
TEST_F(SlowLinkTest, ClientsThatRepeatTheirRequestsCrowdNobodyOut) {
  constexpr int kClients = 6;
  constexpr uint64_t kSlow = kBytesPerSecond / 4;
  std::vector<std::unique_ptr<rpc::Client>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(cluster_.NewClient(Seconds(60)));
    ASSERT_TRUE(clients.back()->Put(StrCat("key", i), "v").ok());  // It has a session now.
  }
  SetRates(kSlow);
  std::vector<uint64_t> passed(4);
  for (const uint32_t node : {1, 2, 3}) passed[node] = cluster_.LinkTo(node).passed();
  const auto start = steady_clock::now();
  std::vector<std::future<StatusOr<v1::PutResponse>>> puts;
  for (int i = 0; i < kClients; ++i) {
    puts.push_back(std::async(std::launch::async,
                              [&, i] { return clients[i]->Put(StrCat("key", i), std::string(kMegabyte, 'v')); }));
  }
  for (auto& put : puts) {
    const StatusOr<v1::PutResponse> answer = put.get();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->version(), 2u) << "it was carried out more than once";
  }
  constexpr double kIdeal = static_cast<double>(kClients * kMegabyte) / kSlow;
  std::cout << SecondsSince(start) << " s, " << SecondsSince(start) / kIdeal << " of what the links allow\n";
  EXPECT_LT(SecondsSince(start), 1.5 * kIdeal);
  for (const uint32_t node : {1, 2, 3}) {
    const double sent = static_cast<double>(cluster_.LinkTo(node).passed() - passed[node]);
    std::cout << "n" << node << " was sent " << sent / kMegabyte << " MB\n";
    EXPECT_LT(sent, 1.2 * kClients * kMegabyte);
  }
}

// A candidate must hear from the other, which takes longer than any election timeout.
TEST_F(SlowLinkTest, ALeaderIsElectedAmongThoseThatHaveAcceptedALargeValue) {
  const std::vector<uint32_t> others{leader_ % 3 + 1, (leader_ + 1) % 3 + 1};
  const auto client = cluster_.NewClientOf(leader_, Seconds(60));
  ASSERT_TRUE(client->Put("first", "v").ok());  // It has a session now.
  ASSERT_TRUE(cluster_.AwaitAgreement());
  const uint64_t applied = cluster_.StatusOf(leader_).applied_index();
  for (const uint32_t node : others) cluster_.Cut(node, leader_);
  v1::PutRequest large;
  large.set_key("large");
  large.set_value(std::string(kMegabyte, 'v'));
  client->Put(large, [](const auto&) {});
  for (const uint32_t node : others) {
    ASSERT_TRUE(WaitFor([&] { return cluster_.StatusOf(node).log_bytes() > kMegabyte; }));
    ASSERT_EQ(cluster_.StatusOf(node).applied_index(), applied) << "it is known to be chosen already";
  }
  cluster_.Kill(leader_);
  SetRates(kBytesPerSecond / 5);
  const auto start = steady_clock::now();
  const auto put = cluster_.NewClient(Seconds(60))->Put("next", "v");
  EXPECT_TRUE(put.ok()) << put.status();
  std::cout << "the next write took " << SecondsSince(start) << " s\n";
  EXPECT_LT(SecondsSince(start), 20);
  const auto got = cluster_.NewClient(Seconds(20))->Get("large", v1::READ_MODE_LINEARIZABLE);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->kv().value().size(), kMegabyte);
}

// Two copies of a request, of which one has more time than the other, wait at a follower for the same answer.
TEST_F(SlowLinkTest, ACopyThatHasMoreTimeGoesOnWhereAnotherIsLate) {
  const uint32_t follower = leader_ % 3 + 1;
  RawPipeline pipeline(cluster_.Endpoint(follower));
  const uint64_t session = pipeline.OpenSession();
  for (const uint32_t node : {1, 2, 3}) {
    if (node != leader_) cluster_.LinkTo(node).SetRate(4 * kMegabyte / 8);
  }
  // What comes behind this one takes two seconds.
  const auto client = cluster_.NewClientOf(leader_, Seconds(60));
  auto large = std::async(std::launch::async, [&] { return client->Put("large", std::string(kMegabyte, 'v')); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  for (const uint64_t id : {1, 2}) {
    pipeline.AddPut(id, "small", "v");
    pipeline.HeaderOfLastPut().set_session(session);
    pipeline.HeaderOfLastPut().set_number(1);
    pipeline.HeaderOfLastPut().set_first_unanswered(1);
    pipeline.Last().set_time_left_us(id == 1 ? 500'000 : 30'000'000);
  }
  ASSERT_TRUE(pipeline.Send());
  auto answers = pipeline.Read(2);
  EXPECT_EQ(answers[1].error().code(), grpc::StatusCode::DEADLINE_EXCEEDED) << answers[1].ShortDebugString();
  EXPECT_EQ(answers[1].error().detail().outcome(), v1::ErrorDetail::OUTCOME_UNKNOWN);
  EXPECT_EQ(answers[2].put().version(), 1u) << answers[2].ShortDebugString();
  EXPECT_TRUE(large.get().ok());
}

}  // namespace
}  // namespace decree::process
