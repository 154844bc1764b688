#include "rpc/port/connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::ElementsAre;

using Verdict = Connections::Verdict;

class ConnectionsTest : public testing::Test {
 protected:
  ~ConnectionsTest() override {
    for (const auto& pair : pairs_) {
      for (const int fd : pair) close(fd);
    }
  }

  // One more from there; its number.
  size_t Connect(const std::string& client) {
    std::array<int, 2>& pair = pairs_.emplace_back();
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    const size_t number = pairs_.size() - 1;
    verdicts_.push_back(connections_.Admit(pair[0], std::to_string(number), client, now_));
    return number;
  }
  bool IsAdmitted(size_t number) const { return verdicts_[number] != Verdict::kRefused; }
  // From there comes something that nobody reads.
  void Send(size_t number) { EXPECT_EQ(send(pairs_[number][1], "x", 1, 0), 1); }
  bool IsOpen(size_t number) const {
    char byte = 0;
    return IsAdmitted(number) && recv(pairs_[number][1], &byte, 1, MSG_DONTWAIT) != 0;
  }
  void Use(size_t number, bool is_used = true) { *connections_.UseOf(std::to_string(number)) = is_used; }
  // Closes it as gRPC does.
  void Close(size_t number) {
    close(pairs_[number][0]);
    // Another file takes the number.
    EXPECT_EQ(dup2(STDERR_FILENO, pairs_[number][0]), pairs_[number][0]);
  }

  std::vector<std::array<int, 2>> pairs_;
  std::vector<Verdict> verdicts_;
  Time now_{Seconds(1000)};
  Connections connections_{{.all = 4, .of_a_client = 3}};
};

TEST_F(ConnectionsTest, TheOldestIdleOneOfAClientMakesRoomForItsNext) {
  for (int i = 0; i < 4; ++i) Connect("a");
  EXPECT_THAT(verdicts_,
              ElementsAre(Verdict::kAdmitted, Verdict::kAdmitted, Verdict::kAdmitted, Verdict::kAdmittedForAnother));
  EXPECT_FALSE(IsOpen(0));
  for (size_t i = 1; i < 4; ++i) EXPECT_TRUE(IsOpen(i)) << i;
  EXPECT_EQ(connections_.Count(now_), 3u);
}

TEST_F(ConnectionsTest, OneThatIsUsedIsSpared) {
  for (int i = 0; i < 3; ++i) Connect("a");
  Use(0);
  Connect("a");
  EXPECT_TRUE(IsOpen(0));
  EXPECT_FALSE(IsOpen(1));
}

TEST_F(ConnectionsTest, IfAllAreUsedTheNextIsRefused) {
  for (size_t i = 0; i < 3; ++i) Use(Connect("a"));
  EXPECT_FALSE(IsAdmitted(Connect("a")));
  EXPECT_EQ(connections_.Count(now_), 3u);
}

// A flood of callers is refused without a look at all the others for each.
TEST_F(ConnectionsTest, ThatAllAreUsedIsFoundOnceInAWhile) {
  for (size_t i = 0; i < 3; ++i) Use(Connect("a"));
  EXPECT_FALSE(IsAdmitted(Connect("a")));
  for (size_t i = 0; i < 3; ++i) Use(i, false);
  EXPECT_FALSE(IsAdmitted(Connect("a")));
  now_ += Milliseconds(100);
  EXPECT_TRUE(IsAdmitted(Connect("a")));
}

TEST_F(ConnectionsTest, OnesThatWereUsedComeLast) {
  for (int i = 0; i < 3; ++i) Connect("a");
  Use(0);
  Connect("a");
  EXPECT_FALSE(IsOpen(1));
  Use(0, false);
  Connect("a");
  EXPECT_TRUE(IsOpen(0));
  EXPECT_FALSE(IsOpen(2));
}

TEST_F(ConnectionsTest, WhoHasTheMostMakesRoomForOthers) {
  const size_t first = Connect("b");
  for (int i = 0; i < 3; ++i) Connect("a");
  EXPECT_TRUE(IsAdmitted(Connect("c")));
  EXPECT_TRUE(IsOpen(first));
  EXPECT_FALSE(IsOpen(first + 1));
}

TEST_F(ConnectionsTest, IfWhoHasTheMostUsesThemAllTheNextInLineDoes) {
  const size_t idle = Connect("b");
  for (size_t i = 0; i < 3; ++i) Use(Connect("a"));
  EXPECT_TRUE(IsAdmitted(Connect("c")));
  EXPECT_FALSE(IsOpen(idle));
}

TEST_F(ConnectionsTest, ThatAreClosedDoNotCount) {
  for (size_t i = 0; i < 3; ++i) Use(Connect("a"));
  Close(1);
  EXPECT_EQ(verdicts_[Connect("a")], Verdict::kAdmitted);
  EXPECT_EQ(connections_.Count(now_), 3u);
  // Also where there is room for others.
  Close(2);
  now_ += Seconds(1);
  EXPECT_EQ(connections_.Count(now_), 2u);
}

TEST_F(ConnectionsTest, OneIsEndedByTheAddressOfItsCaller) {
  const size_t one = Connect("a");
  const size_t other = Connect("a");
  connections_.Reset(std::to_string(one));
  connections_.Reset("nobody");
  EXPECT_FALSE(IsOpen(one));
  EXPECT_TRUE(IsOpen(other));
  EXPECT_EQ(connections_.Count(now_), 1u);
}

TEST_F(ConnectionsTest, WhatWaitsToBeReadGoesWithItsConnection) {
  const size_t quiet = Connect("a");
  const size_t used = Connect("a");
  const size_t other = Connect("b");
  Use(used);
  for (const size_t number : {used, other}) Send(number);
  connections_.Reset(Connections::Which::kUnread);
  EXPECT_TRUE(IsOpen(quiet));
  for (const size_t number : {used, other}) EXPECT_FALSE(IsOpen(number)) << number;
  EXPECT_EQ(verdicts_[Connect("a")], Verdict::kAdmitted);
}

TEST_F(ConnectionsTest, ManyAreEndedByWhatTheyDo) {
  const size_t idle = Connect("a");
  const size_t used = Connect("b");
  Use(used);
  connections_.Reset(Connections::Which::kIdle);
  EXPECT_FALSE(IsOpen(idle));
  EXPECT_TRUE(IsOpen(used));
  connections_.Reset(Connections::Which::kAll);
  EXPECT_FALSE(IsOpen(used));
  EXPECT_EQ(connections_.Count(now_), 0u);
}

// Nodes of a cluster may share an address with whoever attacks it.
TEST_F(ConnectionsTest, WhereUsedOnesAreTrustedTheyAreSpared) {
  Connections trusting({.all = 4, .of_a_client = 3, .trusts_used = true});
  for (const char* const number : {"0", "1", "2"}) {
    Connect("a");
    trusting.Admit(pairs_.back()[0], number, "a", now_);
  }
  for (const size_t number : {1, 2}) Send(number);
  *trusting.UseOf("2") = true;
  trusting.Reset(Connections::Which::kUnread);
  for (const size_t number : {0, 2}) EXPECT_TRUE(IsOpen(number)) << number;
  EXPECT_FALSE(IsOpen(1));
  trusting.Reset(Connections::Which::kAll);
  EXPECT_FALSE(IsOpen(0));
  EXPECT_TRUE(IsOpen(2));
  Connect("a");
  EXPECT_EQ(trusting.Admit(pairs_.back()[0], "3", "a", now_), Verdict::kAdmitted);
}

}  // namespace
}  // namespace decree::rpc
