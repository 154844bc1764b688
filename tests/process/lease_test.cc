// Reads under the leader's lease, and what a lease costs when its holder is paused.

#include <signal.h>

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;

// Long, so that a busy machine does not pass for a pause.
constexpr Duration kLease = Milliseconds(2000);
constexpr Duration kHeartbeat = Milliseconds(100);

ProcessCluster::Arguments WithLongLease() {
  const std::string lease = std::to_string(kLease / Milliseconds(1));
  const std::vector<std::string> timeouts{"--election-timeout-min-ms", lease, "--election-timeout-max-ms", "2500"};
  ProcessCluster::Arguments arguments{.init = timeouts, .serve = timeouts};
  arguments.init.insert(arguments.init.end(), {"--lease-ms", lease});
  return arguments;
}

// Puts through one node, on a thread of its own, until it is told that it has: what was forwarded to the
// paused leader ends with its outcome unknown.
class Writer {
 public:
  Writer(const ProcessCluster& cluster, uint32_t node, std::string value)
      : client_(cluster.NewClientOf(node, Seconds(30))), thread_([this, value = std::move(value)] {
          ASSERT_TRUE(WaitFor([&] { return client_->Put("k", value).ok(); }));
          took_ = steady_clock::now() - started_;
          is_done_ = true;
        }) {}
  ~Writer() { Join(); }

  bool is_done() const { return is_done_; }
  // Waits for the end; how long it took.
  Duration Join() {
    if (thread_.joinable()) thread_.join();
    return took_;
  }

 private:
  const std::unique_ptr<rpc::Client> client_;
  const steady_clock::time_point started_ = steady_clock::now();
  Duration took_ = Duration::zero();
  std::atomic<bool> is_done_{false};
  std::thread thread_;
};

TEST(LeaseTest, StatusTellsHowReadsWereServed) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  const uint32_t follower = leader % 3 + 1;
  ASSERT_TRUE(cluster.NewClient()->Put("k", "v").ok());
  ASSERT_TRUE(WaitFor([&] { return cluster.StatusOf(leader).lease_state() == "held"; }));
  EXPECT_EQ(cluster.StatusOf(follower).lease_state(), "none");
  const auto at_leader = cluster.NewClientOf(leader);
  const auto at_follower = cluster.NewClientOf(follower);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(at_leader->Get("k")->kv().value(), "v");
    EXPECT_EQ(at_follower->Get("k")->kv().value(), "v");
    EXPECT_TRUE(at_follower->Get("k", v1::READ_MODE_STALE).ok());
  }
  const v1::NodeStatusResponse status = cluster.StatusOf(leader);
  EXPECT_GE(status.reads_under_lease(), 15u) << "a lease may lapse on a busy machine, now and then";
  EXPECT_EQ(status.reads_under_lease() + status.reads_by_round(), 20u);
  EXPECT_EQ(cluster.StatusOf(follower).reads_at_leaders_index(), 20u);
  EXPECT_EQ(cluster.StatusOf(follower).reads_stale(), 20u);
}

TEST(LeaseTest, WithLeasesOffReadsTakeAQuorumRound) {
  ProcessCluster cluster(3, {.init = {}, .serve = {"--lease", "off"}});
  const uint32_t leader = cluster.AwaitLeader();
  ASSERT_TRUE(cluster.NewClient()->Put("k", "v").ok());
  const auto client = cluster.NewClientOf(leader);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client->Get("k")->kv().value(), "v");
  const v1::NodeStatusResponse status = cluster.StatusOf(leader);
  EXPECT_EQ(status.lease_state(), "off");
  EXPECT_EQ(status.reads_under_lease(), 0u);
  EXPECT_EQ(status.reads_by_round(), 20u);
}

TEST(LeaseTest, APauseWithinTheLeaseHoldsWritesUpAndDeposesNobody) {
  ProcessCluster cluster(3, WithLongLease());
  const uint32_t leader = cluster.AwaitLeader();
  ASSERT_TRUE(cluster.NewClient()->Put("k", "before").ok());
  ASSERT_TRUE(WaitFor([&] { return cluster.StatusOf(leader).lease_state() == "held"; }));
  const uint64_t round = cluster.StatusOf(leader).ballot_round();

  cluster.Signal(leader, SIGSTOP);
  Writer writer(cluster, leader % 3 + 1, "after");
  std::this_thread::sleep_for(kLease * 6 / 10);
  EXPECT_FALSE(writer.is_done()) << "a write went through while the leader's lease lasted";
  cluster.Signal(leader, SIGCONT);
  const auto read = cluster.NewClientOf(leader, Seconds(30))->Get("k");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->kv().value() == "before" || read->kv().value() == "after");
  writer.Join();
  EXPECT_EQ(cluster.NewClientOf(leader, Seconds(30))->Get("k")->kv().value(), "after");
  EXPECT_EQ(cluster.StatusOf(leader).ballot_round(), round) << "the leader was deposed";
}

TEST(LeaseTest, APauseBeyondTheLeaseLetsAnotherLeadAndTheOldOneReadsNothingStale) {
  ProcessCluster cluster(3, WithLongLease());
  const uint32_t leader = cluster.AwaitLeader();
  ASSERT_TRUE(cluster.NewClient()->Put("k", "before").ok());
  ASSERT_TRUE(WaitFor([&] { return cluster.StatusOf(leader).lease_state() == "held"; }));

  cluster.Signal(leader, SIGSTOP);
  Writer writer(cluster, leader % 3 + 1, "after");
  const Duration took = writer.Join();
  // The newest grant is as old as the last heartbeat at most; allow for some that were late.
  EXPECT_GE(took, kLease - 5 * kHeartbeat) << "the write did not wait for the lease to end";
  const auto old_leader = cluster.NewClientOf(leader, Seconds(30));
  cluster.Signal(leader, SIGCONT);
  const auto read = old_leader->Get("k");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kv().value(), "after") << "the old leader has read under a lease that had ended";
  EXPECT_NE(cluster.AwaitLeader(), leader);
}

}  // namespace
}  // namespace decree::process
