// A node that was away catches up over a slow link, while the others go on. What it lacks must come about as
// fast as the link allows, and must not stand in the way of new writes.
//
// DECREE_TEST_CATCH_UP_MB sets how much it lacks; a few seconds' worth otherwise.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kMegabyte = 1'000'000;

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

// Puts three hundred small values a second, until it is told to stop.
class SmallPuts {
 public:
  explicit SmallPuts(const ProcessCluster& cluster, uint32_t node)
      : client_(cluster.NewClientOf(node)), thread_([this] { Run(); }) {}
  ~SmallPuts() {
    stops_ = true;
    thread_.join();
  }

 private:
  void Run() {
    auto next = steady_clock::now();
    for (int i = 0; !stops_; ++i) {
      v1::PutRequest put;
      put.set_key(StrCat("small", i % 100));
      put.set_value("v");
      client_->Put(put, [](const auto&) {});
      next += std::chrono::microseconds(3333);
      std::this_thread::sleep_until(next);
    }
  }

  const std::unique_ptr<rpc::Client> client_;
  std::atomic<bool> stops_{false};
  std::thread thread_;
};

class CatchUpTest : public testing::TestWithParam<uint64_t> {
 protected:
  CatchUpTest()
      : cluster_(3, {.init = {}, .serve = {}, .has_proxies = true}),
        leader_(cluster_.AwaitLeader()),
        behind_(leader_ % 3 + 1),
        other_(behind_ % 3 + 1) {
    const char* const megabytes = std::getenv("DECREE_TEST_CATCH_UP_MB");
    bytes_ = megabytes != nullptr ? std::strtoull(megabytes, nullptr, 10) * kMegabyte : 8 * rate();
  }

  uint64_t rate() const { return GetParam() * kMegabyte / 8; }
  double IdealSeconds() const { return static_cast<double>(bytes_) / static_cast<double>(rate()); }

  // The node is away while the others take so many bytes, and comes back behind a slow link.
  void FallBehind() {
    cluster_.Kill(behind_);
    const auto client = cluster_.NewClientOf(leader_, Seconds(60));
    for (uint64_t i = 0; i * kMegabyte < bytes_; ++i) {
      const auto put = client->Put(StrCat("large", i), std::string(kMegabyte, 'v'));
      ASSERT_TRUE(put.ok()) << put.status();
    }
    goal_ = cluster_.StatusOf(leader_).chosen_index();
    begin_ = AppliedAtThatNode();
    cluster_.LinkTo(behind_).SetRate(rate());
    puts_ = std::make_unique<SmallPuts>(cluster_, leader_);
    cluster_.Start(behind_);
  }
  uint64_t AppliedAtThatNode() const {
    const auto status = cluster_.NewClientOf(behind_, Milliseconds(300))->NodeStatus(0);
    return status.ok() ? status->applied_index() : 0;
  }
  bool AwaitShare(double share, Duration limit) const {
    const auto wanted = static_cast<uint64_t>(static_cast<double>(goal_) * share);
    return WaitFor([&] { return AppliedAtThatNode() >= wanted; }, limit);
  }
  // A write goes through while that node is in the midst of catching up.
  void ExpectNextWriteMeanwhile(rpc::Client& client, double seconds_max) const {
    const auto start = steady_clock::now();
    const auto put = client.Put("next", "v");
    const double seconds = SecondsSince(start);
    const uint64_t applied = AppliedAtThatNode();
    EXPECT_TRUE(put.ok()) << put.status();
    std::cout << GetParam() << " Mbit/s: the next write took " << seconds << " s, at slot " << applied << " of "
              << goal_ << "\n";
    EXPECT_LT(applied, goal_);
    EXPECT_LT(seconds, seconds_max);
  }

  ProcessCluster cluster_;
  const uint32_t leader_;
  const uint32_t behind_;
  const uint32_t other_;
  uint64_t bytes_ = 0;
  uint64_t goal_ = 0;
  uint64_t begin_ = 0;
  std::unique_ptr<SmallPuts> puts_;
};

TEST_P(CatchUpTest, TakesLittleLongerThanTheLinkAllows) {
  FallBehind();
  ASSERT_TRUE(WaitFor([&] { return cluster_.LinkTo(behind_).passed() > 0; }));
  const auto start = steady_clock::now();
  const uint64_t passed = cluster_.LinkTo(behind_).passed();
  EXPECT_TRUE(AwaitShare(1, Milliseconds(static_cast<int64_t>(3000 * IdealSeconds()) + 5000)));
  const double seconds = SecondsSince(start);
  const double sent = static_cast<double>(cluster_.LinkTo(behind_).passed() - passed);
  std::cout << GetParam() << " Mbit/s, " << bytes_ / kMegabyte << " MB behind: " << seconds << " s, "
            << seconds / IdealSeconds() << " of what the link allows; " << sent / kMegabyte << " MB were sent\n";
  EXPECT_LT(seconds, 1.3 * IdealSeconds());
  EXPECT_LT(sent, 1.1 * static_cast<double>(bytes_)) << "the same is sent again and again";
}

TEST_P(CatchUpTest, DoesNotStandInTheWayOfAWrite) {
  FallBehind();
  ASSERT_TRUE(AwaitShare(0.2, Seconds(200)));
  // From now on no write goes through without the node that is behind.
  cluster_.Signal(other_, SIGSTOP);
  ExpectNextWriteMeanwhile(*cluster_.NewClientOf(leader_), 2);
}

TEST_P(CatchUpTest, GoesOnWhenTheLeaderThatItFetchesFromStops) {
  FallBehind();
  ASSERT_TRUE(AwaitShare(0.2, Seconds(200)));
  // The two that are left are a quorum, one of them far behind; the connections to the third stay.
  cluster_.Signal(leader_, SIGSTOP);
  ExpectNextWriteMeanwhile(*cluster_.NewClient(Seconds(30)), 5);  // after an election
  EXPECT_TRUE(AwaitShare(1, Milliseconds(static_cast<int64_t>(3000 * IdealSeconds()) + 5000)));
}

TEST_P(CatchUpTest, MoreThanTheLinkCarriesDoesNotStandInTheWayOfAWrite) {
  cluster_.LinkTo(behind_).SetRate(rate());
  {
    const auto client = cluster_.NewClientOf(leader_, Seconds(60));
    const auto start = steady_clock::now();
    for (uint64_t i = 0; SecondsSince(start) < 6; ++i) {
      const auto put = client->Put(StrCat("large", i % 100), std::string(kMegabyte, 'v'));
      ASSERT_TRUE(put.ok()) << put.status();
    }
  }
  goal_ = cluster_.StatusOf(leader_).chosen_index();
  cluster_.Signal(other_, SIGSTOP);
  ExpectNextWriteMeanwhile(*cluster_.NewClientOf(leader_), 2);
}

INSTANTIATE_TEST_SUITE_P(Links, CatchUpTest, testing::Values(100, 20),
                         [](const auto& link) { return StrCat(link.param, "Mbit"); });

}  // namespace
}  // namespace decree::process
