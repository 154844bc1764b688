// What a node writes to its log: little, and never a client's keys or values.

#include <signal.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

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

// Lines of these severities, such as "WE".
std::vector<std::string> LinesOf(const std::string& log, std::string_view severities) {
  std::vector<std::string> found;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const bool is_line = line.size() > 9 && std::ranges::all_of(line.substr(1, 8), [](char c) { return isdigit(c); });
    if (is_line && severities.find(line[0]) != std::string_view::npos) found.push_back(line);
  }
  return found;
}

TEST(LogTest, NothingIsLoggedWhileNothingHappensAndNeverAKeyOrValue) {
  ProcessCluster cluster(3);
  cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(30));
  ASSERT_TRUE(client->Put("warm", "up").ok());
  ASSERT_TRUE(WaitFor([&] {
    return std::ranges::all_of(std::array{1u, 2u, 3u},
                               [&](uint32_t node) { return cluster.StatusOf(node).peers_connected() == 2; });
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
  EXPECT_THAT(cluster.Log(transfer->leader()), HasSubstr("reason=handed_over predecessor=n" + std::to_string(first)));
  EXPECT_EQ(CountOf(AllLogs(cluster), " leads: "), leaders + 1);

  const uint32_t second = transfer->leader();
  const std::string before = AllLogs(cluster);
  cluster.Kill(second);
  const uint32_t third = cluster.AwaitLeader(second);
  EXPECT_THAT(cluster.Log(third), HasSubstr("reason=leader_silent predecessor=n" + std::to_string(second)));
  // The dead node is tried again and again. Of each of the two streams to it, the others say that it has ended, that
  // it cannot be opened, and, as a warning, that it still cannot.
  ASSERT_TRUE(client->Put("clients-key", "clients-value").ok());
  EXPECT_THAT(LinesOf(cluster.Log(third), "WEF"), testing::IsEmpty());
  ASSERT_TRUE(WaitFor([&] { return !LinesOf(cluster.Log(third), "W").empty(); }));
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_LE(CountOf(AllLogs(cluster), "no stream to ") - CountOf(before, "no stream to "), 12u);
  EXPECT_THAT(AllLogs(cluster), Not(HasSubstr("clients-")));
}

TEST(LogTest, EveryNodeSaysOnceWhomItFollowsAndAnOrdinaryRollWarnsOfNothing) {
  ProcessCluster cluster(3);
  const uint32_t first = cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(30));
  ASSERT_TRUE(client->Put("warm", "up").ok());
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node == first) continue;
    const std::string follows = "n" + std::to_string(node) + " follows n" + std::to_string(first) + ": ";
    ASSERT_TRUE(WaitFor([&] { return CountOf(cluster.Log(node), follows) > 0; })) << cluster.Log(node);
  }
  for (uint32_t node = 1; node <= 3; ++node) {
    if (cluster.Leader() == node) {
      // A node that was just started promises nothing for the length of a lease, so nobody may win at first.
      ASSERT_TRUE(WaitFor([&] { return client->TransferLeadership(0).ok(); })) << AllLogs(cluster);
    }
    cluster.Signal(node, SIGTERM);
    EXPECT_EQ(cluster.Wait(node), 0);
    cluster.Start(node);
    cluster.AwaitLeader();
    ASSERT_TRUE(cluster.AwaitAgreement());
  }
  EXPECT_THAT(LinesOf(AllLogs(cluster), "WEF"), testing::IsEmpty());
  // Each change of leader was told once by each of the others, and once by each node that was started anew.
  const std::string logs = AllLogs(cluster);
  EXPECT_LE(CountOf(logs, " follows n") - CountOf(logs, " follows nobody"), 2 * CountOf(logs, " leads: ") + 3) << logs;
}

TEST(LogTest, VerboseLogsTellOfEachBallotAndThenOfEachMessage) {
  ProcessCluster cluster(3, {.init = {}, .serve = {"--log-verbosity=2"}, .has_proxies = false});
  const uint32_t leader = cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(30));
  ASSERT_TRUE(client->Put("clients-key", "clients-value").ok());
  const std::string own = "n" + std::to_string(leader);
  ASSERT_TRUE(WaitFor([&] { return CountOf(cluster.Log(leader), own + " holds a lease: ballot=") > 0; }));
  for (const std::string& what : {own + " polls: ballot=", own + " stands: ballot=", own + " promises: ballot=",
                                  "sent: " + own + " > n", " > " + own + " Accepted ballot="}) {
    EXPECT_THAT(cluster.Log(leader), HasSubstr(what));
  }
  EXPECT_THAT(AllLogs(cluster), HasSubstr(" grants a lease: ballot="));
  EXPECT_THAT(AllLogs(cluster), HasSubstr(" grants " + own + "'s poll: ballot="));
  EXPECT_THAT(AllLogs(cluster), Not(HasSubstr("clients-")));
  cluster.Kill(leader % 3 + 1);
  ASSERT_TRUE(WaitFor([&] {
    return CountOf(cluster.Log(leader), "dropped: " + own + " > n" + std::to_string(leader % 3 + 1)) > 0;
  })) << "it does not tell what it could not send";
}

}  // namespace
}  // namespace decree::process
