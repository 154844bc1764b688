// What a node writes to its log: little, and never a client's keys or values.

#include <signal.h>

#include <algorithm>
#include <array>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using testing::HasSubstr;
using testing::Not;

size_t CountOf(const std::string& log, const std::string& text) {
  size_t count = 0;
  for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
  return count;
}

std::string AllLogs(const ProcessCluster& cluster) {
  std::string logs;
  for (uint32_t node = 1; node <= cluster.size(); ++node) logs += cluster.Log(node);
  return logs;
}

TEST(LogTest, NothingIsLoggedWhileNothingHappensAndNeverAKeyOrValue) {
  ProcessCluster cluster(3);
  cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(30));
  ASSERT_TRUE(client->Put("warm", "up").ok());
  ASSERT_TRUE(WaitFor([&] {
    return std::ranges::all_of(std::array{1u, 2u, 3u}, [&](uint32_t node) {
      return cluster.StatusOf(node).peers_connected() == 2;
    });
  }));
  const std::string before = AllLogs(cluster);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(client->Put("clients-key", "clients-value").ok());
    ASSERT_TRUE(client->Get("clients-key").ok());
    ASSERT_FALSE(client->Put("", "clients-value").ok());
    ASSERT_FALSE(client->Get(std::string(5000, 'k')).ok());
    ASSERT_TRUE(client->Delete("clients-key").ok());
  }
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_EQ(AllLogs(cluster), before);
}

TEST(LogTest, EachChangeOfLeaderIsOneLineWithItsReason) {
  ProcessCluster cluster(3);
  const uint32_t first = cluster.AwaitLeader();
  EXPECT_THAT(AllLogs(cluster), HasSubstr("reason=no_leader predecessor=none"));
  const size_t leaders = CountOf(AllLogs(cluster), " leads: ");

  const auto client = cluster.NewClient(Seconds(30));
  const auto transfer = client->TransferLeadership(0);
  ASSERT_TRUE(transfer.ok()) << transfer.status();
  EXPECT_THAT(cluster.Log(transfer->leader()),
              HasSubstr("reason=handed_over predecessor=n" + std::to_string(first)));
  EXPECT_EQ(CountOf(AllLogs(cluster), " leads: "), leaders + 1);

  const uint32_t second = transfer->leader();
  const std::string before = AllLogs(cluster);
  cluster.Kill(second);
  const uint32_t third = cluster.AwaitLeader(second);
  EXPECT_THAT(cluster.Log(third), HasSubstr("reason=leader_silent predecessor=n" + std::to_string(second)));
  // The dead node is tried again and again, and told of once by each of the others.
  ASSERT_TRUE(client->Put("clients-key", "clients-value").ok());
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_LE(CountOf(AllLogs(cluster), "no stream to ") - CountOf(before, "no stream to "), 8u);
  EXPECT_THAT(AllLogs(cluster), Not(HasSubstr("clients-")));
}

}  // namespace
}  // namespace decree::process
