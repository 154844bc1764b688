#include "rpc/loop/held_writes.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "rpc/loop/paced_reads.h"
#include "tests/unit/rpc/loop/tcp_pair.h"

namespace decree::rpc {
namespace {

class HeldWritesTest : public testing::Test {
 protected:
  HeldWritesTest() { PacedReads::Get().Set(accepted_, PacedReads::Pace::kByThePiece, 0); }
  ~HeldWritesTest() override {
    if (accepted_ >= 0) close(accepted_);
    close(connected_);
    PushHeldWrites();
  }

  void Write(const std::string& bytes) const { WriteAll(accepted_, bytes); }
  // What has come at the other end, which on one machine needs no time.
  std::string Read() {
    std::string bytes(1 << 20, '\0');
    const ssize_t read = recv(connected_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(read > 0 ? static_cast<size_t>(read) : 0);
    return bytes;
  }

  const TcpPair sockets_ = MakeTcpPair();
  const int connected_ = sockets_.connected;
  int accepted_ = sockets_.accepted;
};

TEST_F(HeldWritesTest, WhatIsWrittenMeanwhileComesTogetherWhenItIsPushed) {
  {
    const HoldWrites hold;
    Write("a");
    Write("b");
    EXPECT_EQ(Read(), "");
  }
  EXPECT_EQ(Read(), "");
  PushHeldWrites();
  EXPECT_EQ(Read(), "ab");
  Write("c");
  EXPECT_EQ(Read(), "c");
}

TEST_F(HeldWritesTest, WhatIsWrittenAfterwardsTakesItAlong) {
  {
    const HoldWrites hold;
    Write("a");
  }
  Write("b");
  EXPECT_EQ(Read(), "ab");
  PushHeldWrites();
}

TEST_F(HeldWritesTest, WhatIsPushedComesAndTheRestIsHeld) {
  {
    const HoldWrites hold;
    Write("a");
    PushHeldWrites();
    EXPECT_EQ(Read(), "a");
    Write("b");
    EXPECT_EQ(Read(), "");
  }
  PushHeldWrites();
  EXPECT_EQ(Read(), "b");
}

TEST_F(HeldWritesTest, EachConnectionGetsItsOwn) {
  const TcpPair other = MakeTcpPair();
  PacedReads::Get().Set(other.accepted, PacedReads::Pace::kInTurns, 0);
  {
    const HoldWrites hold;
    Write("a");
    WriteAll(other.accepted, "b");
    Write("c");
  }
  PushHeldWrites();
  EXPECT_EQ(Read(), "ac");
  char bytes[8];
  EXPECT_EQ(recv(other.connected, bytes, sizeof(bytes), MSG_DONTWAIT), 1);
  close(other.accepted);
  close(other.connected);
}

TEST_F(HeldWritesTest, FullSegmentsAreNotHeld) {
  const HoldWrites hold;
  Write(std::string(200'000, 'a'));
  EXPECT_GT(Read().size(), 100'000u);
}

TEST_F(HeldWritesTest, SocketsThatAreNotPacedAreNotHeld) {
  PacedReads::Get().Forget(accepted_);
  const HoldWrites hold;
  Write("a");
  EXPECT_EQ(Read(), "a");
}

TEST_F(HeldWritesTest, OtherThreadsAreNotHeldAndTakeWithThemWhatIs) {
  const HoldWrites hold;
  Write("a");
  EXPECT_EQ(Read(), "");
  std::thread([this] { Write("b"); }).join();
  EXPECT_EQ(Read(), "ab");
}

TEST_F(HeldWritesTest, AConnectionThatIsClosedMeanwhileLosesNothing) {
  const HoldWrites hold;
  Write("a");
  close(std::exchange(accepted_, -1));
  EXPECT_EQ(Read(), "a");
}

TEST_F(HeldWritesTest, TheNumberMayBeAnotherFilesByThen) {
  const int number = accepted_;
  {
    const HoldWrites hold;
    Write("a");
    close(std::exchange(accepted_, -1));
    const int other = open("/dev/null", O_RDWR | O_CLOEXEC);
    ASSERT_EQ(dup3(other, number, O_CLOEXEC), number);
    close(other);
  }
  PushHeldWrites();
  EXPECT_EQ(write(number, "b", 1), 1);
  EXPECT_EQ(Read(), "a");
  close(number);
}

}  // namespace
}  // namespace decree::rpc
