#include "rpc/loop/paced_reads.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rpc/loop/tcp_pair.h"

namespace decree::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A TCP connection whose one end is read as gRPC reads it: told once that there is something, until the kernel says
// that nothing is left.
class Connection {
 public:
  Connection() {
    const int on = 1;
    EXPECT_EQ(setsockopt(reading_, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)), 0);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (!is_closed_) Close();
  }

  int reading() const { return reading_; }
  bool has_ended() const { return has_ended_; }
  void Close() {
    is_closed_ = true;
    for (const int fd : {sending_, reading_}) close(fd);
  }
  void Send(const std::string& bytes) const {
    EXPECT_EQ(send(sending_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void Reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    EXPECT_EQ(setsockopt(sending_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(std::exchange(sending_, -1));
  }
  void EndSending() const { shutdown(sending_, SHUT_WR); }

  // What is read until nothing seems left.
  std::string ReadOneGo() {
    std::string all;
    for (int left = 1; left > 0;) {
      iovec bytes{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
      char control[CMSG_SPACE(sizeof(int))];
      msghdr message{};
      message.msg_iov = &bytes;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      const ssize_t read = recvmsg(reading_, &message, 0);
      has_ended_ = read == 0 || (read < 0 && errno != EAGAIN);
      if (read <= 0) break;
      all.append(buffer_, 0, static_cast<size_t>(read));
      const cmsghdr* const told = CMSG_FIRSTHDR(&message);
      EXPECT_NE(told, nullptr);
      if (told == nullptr) break;
      std::memcpy(&left, CMSG_DATA(told), sizeof(left));
    }
    return all;
  }

 private:
  const TcpPair sockets_ = MakeTcpPair();
  int sending_ = sockets_.connected;
  const int reading_ = sockets_.accepted;
  std::string buffer_ = std::string(1 << 20, '\0');
  bool is_closed_ = false;
  bool has_ended_ = false;
};

class PacedReadsTest : public testing::Test {
 protected:
  using Pace = PacedReads::Pace;

  PacedReadsTest() { reads_.BeginTurn(true); }
  ~PacedReadsTest() override {
    connections_.clear();
    close(epoll_);
  }

  // One more, which is called by its number.
  Connection& Connect(Pace pace, uint32_t client = 0) {
    const auto number = static_cast<uint32_t>(connections_.size());
    Connection& connection = *connections_.emplace_back(std::make_unique<Connection>());
    reads_.Set(connection.reading(), pace, client);
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u32 = number}};
    EXPECT_EQ(epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.reading(), &event), 0);
    return connection;
  }
  bool AwaitEdge(int milliseconds = 10'000) {
    epoll_event event{};
    return epoll_wait(epoll_, &event, 1, milliseconds) == 1;
  }
  // How much is read at once, until nothing more is heard of.
  size_t LongestGo(Connection& connection) {
    size_t longest = 0;
    while (AwaitEdge(20)) longest = std::max(longest, connection.ReadOneGo().size());
    return longest;
  }
  // Those by which something was read, one after the other, until nothing more is heard of.
  std::vector<uint32_t> ReadTurn() {
    std::vector<uint32_t> numbers;
    epoll_event event{};
    while (epoll_wait(epoll_, &event, 1, 20) == 1) {
      if (!connections_[event.data.u32]->ReadOneGo().empty()) numbers.push_back(event.data.u32);
    }
    return numbers;
  }
  // The order in which so many pieces are read of clients who send on, if each costs a turn.
  std::vector<uint32_t> ReadHastily(size_t count) {
    std::vector<uint32_t> order;
    while (order.size() < count) {
      epoll_event event{};
      while (epoll_wait(epoll_, &event, 1, 20) == 1) {
        Connection& connection = *connections_[event.data.u32];
        if (connection.ReadOneGo().empty()) continue;
        order.push_back(event.data.u32);
        connection.Send("x");
        Work();
      }
      reads_.BeginTurn(true);
    }
    order.resize(count);
    return order;
  }
  // What has come of it takes all of the turn, and the others wait.
  void ReadTheFirstOfThree() {
    for (int i = 0; i < 3; ++i) Connect(Pace::kInTurns).Send("x");
    ASSERT_TRUE(AwaitEdge());
    EXPECT_EQ(connections_[0]->ReadOneGo(), "x");
    Work();
    EXPECT_THAT(ReadTurn(), IsEmpty());
  }
  // What a client has sent may cost any time.
  static void Work() {
    timespec time{};
    const auto elapsed = [&time] {
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
      return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
    };
    for (const auto start = elapsed(); elapsed() < start + 30;) continue;
  }

  PacedReads& reads_ = PacedReads::Get();
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Connection>> connections_;
};

TEST_F(PacedReadsTest, MuchIsReadByThePieceAndNothingIsLeft) {
  Connection& connection = Connect(Pace::kByThePiece);
  std::string sent(3 << 20, '\0');
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + (i * 7 >> 3) % 26);
  std::thread sender([&] {
    connection.Send(sent);
    connection.EndSending();
  });
  std::string received;
  while (!connection.has_ended() && AwaitEdge()) {
    const std::string piece = connection.ReadOneGo();
    EXPECT_LE(piece.size(), 32u << 10);
    received += piece;
  }
  sender.join();
  EXPECT_TRUE(connection.has_ended());
  EXPECT_TRUE(received == sent);
}

TEST_F(PacedReadsTest, LittleIsReadInOneGo) {
  Connection& connection = Connect(Pace::kInTurns);
  connection.Send(std::string(100'000, 'x'));
  EXPECT_GE(LongestGo(connection), 16u << 10);
  for (int i = 0; i < 100; ++i) {
    reads_.BeginTurn(true);
    const std::string sent(10'000, static_cast<char>('a' + i % 26));
    connection.Send(sent);
    ASSERT_TRUE(AwaitEdge());
    EXPECT_TRUE(connection.ReadOneGo() == sent);
  }
}

// What gRPC makes of calls may take long.
TEST_F(PacedReadsTest, LittleIsReadFirstAndWhereManyCallsCame) {
  const std::string data = std::string("\0\x40\0\0\0\0\0\0\1", 9) + std::string(16'384, 'x');
  std::string calls;
  for (char stream = 1; stream < 100; ++stream) calls += std::string("\0\0\0\1\4\0\0\0", 8) + stream;
  Connection& connection = Connect(Pace::kInTurns);
  const auto expect_little_then_more = [&] {
    ASSERT_TRUE(AwaitEdge());
    EXPECT_LE(connection.ReadOneGo().size(), 2u << 10);
    EXPECT_GE(LongestGo(connection), 8u << 10);
  };
  connection.Send(std::string(24, 'x') + data + data + data);
  expect_little_then_more();
  connection.Send(calls);
  LongestGo(connection);
  connection.Send(data + data + data);
  expect_little_then_more();
}

TEST_F(PacedReadsTest, OtherFilesAreReadAsEver) {
  Connection& connection = Connect(Pace::kNone);
  const std::string sent(200'000, 'x');
  connection.Send(sent);
  std::string received;
  while (received.size() < sent.size() && AwaitEdge()) received += connection.ReadOneGo();
  EXPECT_TRUE(received == sent);
}

TEST_F(PacedReadsTest, WhoSendsHeadersWithoutEndIsReset) {
  Connection& connection = Connect(Pace::kInTurns);
  std::string sent(24, 'x');
  sent += std::string("\0\x10\0\1\0\0\0\0\1", 9) + std::string(4 << 10, ' ');
  connection.Send(sent);
  ASSERT_TRUE(AwaitEdge());
  std::string received = connection.ReadOneGo();
  while (received.size() < sent.size()) {
    ASSERT_TRUE(AwaitEdge());
    received += connection.ReadOneGo();
  }
  EXPECT_FALSE(connection.has_ended());
  connection.Send(std::string("\0\0\1\x9\0\0\0\0\1", 9));
  ASSERT_TRUE(AwaitEdge());
  EXPECT_EQ(connection.ReadOneGo(), "");
  EXPECT_TRUE(connection.has_ended());
}

// ---- Turns ----

TEST_F(PacedReadsTest, WhenATurnHasTakenLongTheRestWaitsForTheNext) {
  ReadTheFirstOfThree();
  EXPECT_TRUE(reads_.BeginTurn(true));
  EXPECT_THAT(ReadTurn(), ElementsAre(1, 2));
}

TEST_F(PacedReadsTest, TimeInWhichNothingIsDoneDoesNotCount) {
  for (int i = 0; i < 2; ++i) Connect(Pace::kInTurns).Send("x");
  ASSERT_TRUE(AwaitEdge());
  EXPECT_EQ(connections_[0]->ReadOneGo(), "x");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_THAT(ReadTurn(), ElementsAre(1));
}

TEST_F(PacedReadsTest, WhatAnotherThreadHasDoneDoesNotCount) {
  for (int i = 0; i < 3; ++i) Connect(Pace::kInTurns).Send("x");
  std::thread other([this] {
    for (int i = 0; i < 10; ++i) Work();
    EXPECT_TRUE(AwaitEdge());
    EXPECT_EQ(connections_[0]->ReadOneGo(), "x");
  });
  other.join();
  EXPECT_TRUE(AwaitEdge());
  EXPECT_EQ(connections_[1]->ReadOneGo(), "x");
  Work();
  EXPECT_THAT(ReadTurn(), IsEmpty());
}

TEST_F(PacedReadsTest, WhoDoesNotShareTurnsIsReadAlways) {
  Connect(Pace::kInTurns).Send("x");
  Connect(Pace::kByThePiece).Send("x");
  Connect(Pace::kInTurns).Send("x");
  ASSERT_TRUE(AwaitEdge());
  EXPECT_EQ(connections_[0]->ReadOneGo(), "x");
  Work();
  EXPECT_THAT(ReadTurn(), ElementsAre(1));
}

// However much it sends, and whenever.
TEST_F(PacedReadsTest, WhoHasHadItsTurnComesAfterThoseWhoWait) {
  for (int i = 0; i < 3; ++i) Connect(Pace::kInTurns).Send(std::string(100'000, 'x'));
  EXPECT_THAT(ReadHastily(7), ElementsAre(0, 1, 2, 0, 1, 2, 0));
}

// However many connections it has.
TEST_F(PacedReadsTest, AClientHasItsTurnBetweenAnothersConnections) {
  for (int i = 0; i < 5; ++i) Connect(Pace::kInTurns, 1).Send(std::string(100'000, 'x'));
  Connect(Pace::kInTurns, 2).Send(std::string(100'000, 'x'));
  EXPECT_THAT(ReadHastily(8), ElementsAre(0, 1, 5, 2, 5, 3, 5, 4));
}

// gRPC does not read while it has no memory to.
TEST_F(PacedReadsTest, WhoDoesNotTakeItsTurnLosesIt) {
  ReadTheFirstOfThree();
  reads_.BeginTurn(true);
  EXPECT_TRUE(AwaitEdge());
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  reads_.BeginTurn(true);
  EXPECT_THAT(ReadTurn(), ElementsAre(2));
  EXPECT_EQ(connections_[1]->ReadOneGo(), "x");
}

TEST_F(PacedReadsTest, WhoIsResetIsNotWaitedFor) {
  ReadTheFirstOfThree();
  connections_[1]->Send(std::string(23, 'x') + std::string("\xff\xff\xff\1\0\0\0\0\1", 9));
  EXPECT_TRUE(reads_.BeginTurn(true));
  EXPECT_THAT(ReadTurn(), ElementsAre(2));
  EXPECT_TRUE(connections_[1]->has_ended());
}

TEST_F(PacedReadsTest, WhoIsGoneIsNotWaitedFor) {
  ReadTheFirstOfThree();
  connections_[1]->Close();
  reads_.BeginTurn(true);
  EXPECT_THAT(ReadTurn(), ElementsAre(2));
}

// The kernel tells it once.
TEST_F(PacedReadsTest, TheEndOfAConnectionIsSeenThoughItWaits) {
  ReadTheFirstOfThree();
  // One is reset by us, and one by the other end, what it has sent before being left to read.
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  EXPECT_EQ(connect(connections_[1]->reading(), &nobody, sizeof(nobody)), 0);
  connections_[2]->Reset();
  EXPECT_THAT(ReadTurn(), IsEmpty());
  EXPECT_TRUE(connections_[1]->has_ended());
  EXPECT_FALSE(connections_[2]->has_ended());
  reads_.BeginTurn(true);
  EXPECT_THAT(ReadTurn(), ElementsAre(2));
  EXPECT_TRUE(connections_[2]->has_ended());
}

TEST_F(PacedReadsTest, WhatIsGivenTheNumberOfAClosedSocketIsNotPaced) {
  const Connection& connection = Connect(Pace::kInTurns);
  EXPECT_TRUE(PacedReads::IsPaced(connection.reading()));
  connections_[0]->Close();
  EXPECT_FALSE(PacedReads::IsPaced(connection.reading()));
}

TEST_F(PacedReadsTest, WhoNeedNotShareTurnsAnyMoreIsReadAtOnce) {
  ReadTheFirstOfThree();
  reads_.SetPace(connections_[2]->reading(), Pace::kByThePiece);
  EXPECT_THAT(ReadTurn(), ElementsAre(2));
}

TEST_F(PacedReadsTest, WhatHasBeenReadMayHaveToBeHandledFirst) {
  Connect(Pace::kInTurns).Send("x");
  reads_.BeginTurn(false);
  EXPECT_THAT(ReadTurn(), IsEmpty());
  reads_.BeginTurn(true);
  EXPECT_THAT(ReadTurn(), ElementsAre(0));
}

// A turn of which the rest takes long, while the node writes its log.
TEST_F(PacedReadsTest, WhoHasComeInVainIsCalledAgain) {
  Connect(Pace::kInTurns).Send("x");
  reads_.EndTurn();
  EXPECT_THAT(ReadTurn(), IsEmpty());
  reads_.BeginTurn(true);
  reads_.EndTurn();
  EXPECT_THAT(ReadTurn(), IsEmpty());
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  reads_.BeginTurn(true);
  EXPECT_THAT(ReadTurn(), ElementsAre(0));
}

}  // namespace
}  // namespace decree::rpc
