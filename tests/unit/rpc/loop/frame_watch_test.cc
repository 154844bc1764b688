#include "rpc/loop/frame_watch.h"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/rpc/loop/tcp_pair.h"

namespace decree::rpc {
namespace {

constexpr uint8_t kData = 0;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kPing = 6;
constexpr uint8_t kContinuation = 9;
constexpr uint8_t kIsAnswer = 1;
constexpr size_t kMost = FrameWatch::kHeaderBytesMax;

std::string Frame(uint8_t type, const std::string& payload, uint8_t flags = 0, uint32_t stream = 0) {
  std::string frame(9, '\0');
  for (size_t i = 0; i < 3; ++i) frame[i] = static_cast<char>(payload.size() >> (8 * (2 - i)));
  frame[3] = static_cast<char>(type);
  frame[4] = static_cast<char>(flags);
  for (size_t i = 0; i < 4; ++i) frame[5 + i] = static_cast<char>(stream >> (8 * (3 - i)));
  return frame + payload;
}

// Changes the size of the decoder's table, and is no field.
std::string Filling(size_t bytes) { return std::string(bytes, '\x20'); }

std::string Headers(uint32_t stream, const std::string& block) { return Frame(kHeaders, block, 0, stream); }
std::string Continuation(const std::string& block) { return Frame(kContinuation, block); }

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class FrameWatchTest : public testing::Test {
 protected:
  FrameWatchTest() { EXPECT_TRUE(IsFit(kPreface)); }
  ~FrameWatchTest() override {
    close(sockets_.connected);
    close(sockets_.accepted);
  }
  bool IsFit(std::string_view bytes) { return watch_.Follow(sockets_.accepted, bytes).empty(); }
  bool AreFit(const std::string& frame, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      if (!IsFit(frame)) return false;
    }
    return true;
  }
  // The other end takes so many bytes.
  void Take(size_t bytes) const {
    const std::string sent(bytes, 'x');
    ASSERT_EQ(send(sockets_.accepted, sent.data(), sent.size(), 0), static_cast<ssize_t>(bytes));
    std::string received(bytes, '\0');
    ASSERT_EQ(recv(sockets_.connected, received.data(), bytes, MSG_WAITALL), static_cast<ssize_t>(bytes));
    // This end has to hear of it.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }

  const TcpPair sockets_ = MakeTcpPair();
  FrameWatch watch_;
};

TEST_F(FrameWatchTest, HeadersMayHaveTheirBytesInManyFrames) {
  for (uint32_t stream = 1; stream <= 5; stream += 2) {
    EXPECT_TRUE(IsFit(Headers(stream, Filling(kMost / 2))));
    EXPECT_TRUE(IsFit(Continuation(Filling(kMost / 4))));
    EXPECT_TRUE(IsFit(Continuation(Filling(kMost / 4))));
  }
}

TEST_F(FrameWatchTest, HeadersMayHaveNoMore) {
  EXPECT_TRUE(IsFit(Headers(1, Filling(kMost))));
  EXPECT_FALSE(IsFit(Continuation(Filling(1))));
}

TEST_F(FrameWatchTest, WhatIsTooMuchIsKnownBeforeItHasCome) {
  EXPECT_TRUE(IsFit(Headers(1, Filling(1))));
  EXPECT_FALSE(IsFit(Continuation(Filling(kMost)).substr(0, 9)));
}

TEST_F(FrameWatchTest, FramesMayComeByThePiece) {
  const std::string some = Frame(kData, Filling(1000)) + Headers(1, Filling(kMost)) + Frame(kData, "");
  for (const char byte : some) ASSERT_TRUE(IsFit({&byte, 1}));
  const std::string more = Continuation(Filling(1));
  for (size_t i = 0; i < 8; ++i) ASSERT_TRUE(IsFit({&more[i], 1}));
  EXPECT_FALSE(IsFit({&more[8], 1}));
}

TEST_F(FrameWatchTest, WhatADataFrameHoldsIsNoFrame) {
  const std::string too_much = Headers(1, Filling(kMost)) + Continuation(Filling(1));
  EXPECT_TRUE(IsFit(Frame(kData, too_much)));
  EXPECT_FALSE(IsFit(too_much));
}

TEST_F(FrameWatchTest, NoMoreHeadersFollowTheMessages) {
  EXPECT_TRUE(IsFit(Headers(1, "\x82")));
  EXPECT_TRUE(IsFit(Headers(3, "\x82")));
  EXPECT_FALSE(IsFit(Headers(1, "\x82")));
}

TEST_F(FrameWatchTest, AStreamsNumberHas31Bits) {
  EXPECT_TRUE(IsFit(Headers(0x80000001, "\x82")));
  EXPECT_TRUE(IsFit(Headers(3, "\x82")));
  EXPECT_FALSE(IsFit(Headers(0x80000003, "\x82")));
}

TEST_F(FrameWatchTest, ThePriorityIsNoField) {
  EXPECT_TRUE(IsFit(Frame(kHeaders, "\xff\xff\xff\xff\xff" + std::string(FrameWatch::kFieldsMax, '\x82'), 32, 1)));
  EXPECT_FALSE(IsFit(Continuation("\x82")));
}

// gRPC expects the rest of it nowhere else.
TEST_F(FrameWatchTest, ThePriorityIsInItsFrame) {
  EXPECT_TRUE(IsFit(Frame(kHeaders, "12345", 32, 1)));
  EXPECT_FALSE(IsFit(Frame(kHeaders, "1234", 32, 3)));
}

TEST_F(FrameWatchTest, ACallHasSoManyFields) {
  for (uint32_t stream = 1; stream <= 5; stream += 2) {
    EXPECT_TRUE(IsFit(Headers(stream, std::string(FrameWatch::kFieldsMax / 2, '\x82'))));
    EXPECT_TRUE(IsFit(Continuation(std::string(FrameWatch::kFieldsMax / 2, '\x82'))));
  }
  EXPECT_FALSE(IsFit(Continuation("\x82")));
}

TEST_F(FrameWatchTest, WhoTakesNoAnswersMayNotAskForMore) {
  for (const uint8_t type : {kPing, kSettings}) {
    watch_ = {};
    EXPECT_TRUE(IsFit(kPreface));
    EXPECT_TRUE(AreFit(Frame(type, "12345678"), FrameWatch::kUntakenMax));
    EXPECT_FALSE(IsFit(Frame(type, "12345678")));
  }
}

TEST_F(FrameWatchTest, WhoTakesThemMay) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(AreFit(Frame(kPing, "12345678"), FrameWatch::kUntakenMax));
    Take(17 * FrameWatch::kUntakenMax);
  }
  EXPECT_FALSE(AreFit(Frame(kPing, "12345678"), 2 * FrameWatch::kUntakenMax));
}

TEST_F(FrameWatchTest, ACallIsAnsweredToo) {
  for (uint32_t i = 0; i < FrameWatch::kUntakenCallsMax; ++i) ASSERT_TRUE(IsFit(Headers(2 * i + 1, "\x82")));
  EXPECT_EQ(watch_.calls(), FrameWatch::kUntakenCallsMax);
  EXPECT_FALSE(IsFit(Headers(1'000'001, "\x82")));
}

TEST_F(FrameWatchTest, AnswersAreNotAnswered) {
  EXPECT_TRUE(AreFit(Frame(kPing, "12345678", kIsAnswer), 10'000));
  EXPECT_TRUE(AreFit(Frame(kSettings, "", kIsAnswer), 10'000));
}

}  // namespace
}  // namespace decree::rpc
