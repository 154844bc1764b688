#include "rpc/port/connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <set>
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
  bool IsOpen(size_t number) const {
    char byte = 0;
    return IsAdmitted(number) && recv(pairs_[number][1], &byte, 1, MSG_DONTWAIT) != 0;
  }
  void Use(size_t number) { used_.insert(std::to_string(number)); }
  // As gRPC does.
  void Close(size_t number) {
    close(pairs_[number][0]);
    // Another file takes the number.
    EXPECT_EQ(dup2(STDERR_FILENO, pairs_[number][0]), pairs_[number][0]);
  }

  std::vector<std::array<int, 2>> pairs_;
  std::vector<Verdict> verdicts_;
  Time now_{Seconds(1000)};
  size_t looked_ = 0;  // whether one was used
  std::set<std::string> used_;
  Connections connections_{{.all = 4, .of_a_client = 3}, [this](const std::string& caller) {
                             ++looked_;
                             return used_.contains(caller);
                           }};
};

TEST_F(ConnectionsTest, TheOldestIdleOneOfAClientMakesRoomForItsNext) {
  for (int i = 0; i < 4; ++i) Connect("a");
  EXPECT_THAT(verdicts_, ElementsAre(Verdict::kAdmitted, Verdict::kAdmitted, Verdict::kAdmitted,
                                     Verdict::kAdmittedForAnother));
  EXPECT_FALSE(IsOpen(0));
  for (size_t i = 1; i < 4; ++i) EXPECT_TRUE(IsOpen(i)) << i;
  EXPECT_EQ(connections_.count(), 3u);
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
  EXPECT_EQ(connections_.count(), 3u);
}

// A flood of callers is refused without a look at all the others for each.
TEST_F(ConnectionsTest, ThatAllAreUsedIsFoundOnceInAWhile) {
  for (size_t i = 0; i < 3; ++i) Use(Connect("a"));
  for (int i = 0; i < 10; ++i) Connect("a");
  EXPECT_EQ(looked_, 3u);
  used_.clear();
  now_ += Milliseconds(100);
  EXPECT_TRUE(IsAdmitted(Connect("a")));
}

TEST_F(ConnectionsTest, OnesThatAreUsedAreNotLookedAtFirstAgain) {
  for (int i = 0; i < 3; ++i) Connect("a");
  Use(0);
  Connect("a");
  EXPECT_EQ(looked_, 2u);
  Connect("a");
  EXPECT_EQ(looked_, 3u);
  EXPECT_TRUE(IsOpen(0));
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
  EXPECT_EQ(connections_.count(), 3u);
}

TEST_F(ConnectionsTest, OneIsEndedByTheAddressOfItsCaller) {
  const size_t one = Connect("a");
  const size_t other = Connect("a");
  connections_.Disconnect(std::to_string(one));
  connections_.Disconnect("nobody");
  EXPECT_FALSE(IsOpen(one));
  EXPECT_TRUE(IsOpen(other));
  EXPECT_EQ(connections_.count(), 1u);
}

}  // namespace
}  // namespace decree::rpc
