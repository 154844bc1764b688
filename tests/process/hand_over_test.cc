// Leadership is handed over, on demand and when a leader is told to end: without an election timeout, and
// without a failed request.

#include <signal.h>

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/process/load.h"
#include "tests/process/process_cluster.h"
#include "tests/support/linearizability.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

// Long, so that whoever leads sooner was handed leadership.
constexpr Duration kElectionTimeout = Milliseconds(4000);

ProcessCluster::Arguments WithLongTimeouts() {
  const std::vector<std::string> timeouts{"--election-timeout-min-ms",
                                          std::to_string(kElectionTimeout / Milliseconds(1)),
                                          "--election-timeout-max-ms", "5000"};
  return {.init = timeouts, .serve = timeouts};
}

// A node that has just started gives no promise, so it can neither be an heir nor help one.
void AwaitReady(const ProcessCluster& cluster) {
  const auto client = cluster.NewClient();
  for (uint32_t node = 1; node <= cluster.size(); ++node) {
    ASSERT_TRUE(WaitFor([&] {
      const auto status = client->NodeStatus(node - 1);
      return status.ok() && status->uptime_ms() > 2 * status->lease_ms() && status->peers_connected() == 2;
    }));
  }
}

uint64_t Unanswered(const check::History& history) {
  uint64_t count = 0;
  for (const check::Operation& operation : history) count += operation.IsAnswered() ? 0 : 1;
  return count;
}

TEST(HandOverTest, ALeaderThatIsToldToEndHandsOverFirst) {
  ProcessCluster cluster(3, WithLongTimeouts());
  cluster.AwaitLeader();
  Load load(cluster, 4);
  ASSERT_TRUE(WaitFor([&] { return load.answered() > 100; }));
  for (int round = 0; round < 3; ++round) {
    const uint32_t leader = cluster.AwaitLeader();
    AwaitReady(cluster);
    const auto client = cluster.NewClientOf(leader % 3 + 1, Seconds(30));
    ASSERT_TRUE(client->Put("warm", "up").ok());
    const auto started = steady_clock::now();
    cluster.Signal(leader, SIGTERM);
    ASSERT_TRUE(WaitFor([&] { return cluster.StatusOf(leader % 3 + 1).leader() != leader; }));
    const auto put = client->Put("k", "v");
    EXPECT_TRUE(put.ok()) << put.status();
    EXPECT_LT(steady_clock::now() - started, kElectionTimeout / 2) << "nobody was handed leadership";
    EXPECT_EQ(cluster.Wait(leader), 0);
    cluster.Start(leader);
  }
  load.Stop();
  EXPECT_EQ(Unanswered(load.history()), 0u) << "requests have failed";
  const check::Verdict verdict = check::CheckHistory(load.history());
  EXPECT_TRUE(verdict.ok) << verdict.problem;
}

TEST(HandOverTest, OnDemandToWhomIsNamedOrWhoeverIsMostAdvanced) {
  ProcessCluster cluster(3, WithLongTimeouts());
  const uint32_t leader = cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(30));
  ASSERT_TRUE(client->Put("k", "v").ok());
  const uint32_t heir = leader % 3 + 1;
  const auto started = steady_clock::now();
  const auto named = client->TransferLeadership(heir);
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->leader(), heir);
  const auto any = client->TransferLeadership(0);
  ASSERT_TRUE(any.ok()) << any.status();
  EXPECT_NE(any->leader(), heir);
  EXPECT_TRUE(client->Put("k", "w").ok());
  EXPECT_LT(steady_clock::now() - started, kElectionTimeout / 2);

  const auto stranger = client->TransferLeadership(9);
  EXPECT_THAT(stranger.status().ToString(), HasSubstr("n9 is no voting member"));
  const auto itself = client->TransferLeadership(any->leader());
  EXPECT_THAT(itself.status().ToString(), HasSubstr("leads already"));
  const uint32_t dead = any->leader() % 3 + 1;
  cluster.Kill(dead);
  ASSERT_TRUE(WaitFor([&] { return absl::IsFailedPrecondition(client->TransferLeadership(dead).status()); }))
      << "a dead node was made the heir";
}

}  // namespace
}  // namespace decree::process
