#include "rpc/port/memory_guard.h"

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kMiB = 1 << 20;
constexpr size_t kMax = 512 * kMiB;
constexpr size_t kLimit = kMax - MemoryGuard::kReserve;

class MemoryGuardTest : public testing::Test {
 protected:
  // What is done after so long, when so much is held then.
  std::vector<std::string> Look(Duration after, size_t held) {
    done_.clear();
    now_ += after;
    held_ = held;
    guard_.Look(now_);
    return done_;
  }

  size_t held_ = 0;
  size_t free_ = 0;  // of that
  size_t measured_ = 0;
  Time now_ = Time(Seconds(1000));
  std::vector<std::string> done_;
  std::string problem_;
  MemoryGuard guard_{kMax,
                     {.measure =
                          [this] {
                            ++measured_;
                            return held_;
                          },
                      .trim =
                          [this] {
                            done_.emplace_back("trim");
                            held_ -= free_;
                          },
                      .reset_idle = [this] { done_.emplace_back("idle"); },
                      .reset_all = [this] { done_.emplace_back("all"); },
                      .note = [this](const std::string& problem) { problem_ = problem; }}};
};

TEST_F(MemoryGuardTest, WhatIsWithinTheLimitIsLeftAlone) {
  EXPECT_THAT(Look(Milliseconds(20), kLimit), IsEmpty());
  EXPECT_EQ(problem_, "");
}

TEST_F(MemoryGuardTest, ItLooksNowAndThenOnly) {
  for (int i = 0; i < 100; ++i) Look(Milliseconds(1), 0);
  EXPECT_EQ(measured_, 5u);
}

TEST_F(MemoryGuardTest, WhatIsFreeIsGivenBackFirst) {
  free_ = 1;
  EXPECT_THAT(Look(Milliseconds(20), kLimit + 1), ElementsAre("trim"));
  EXPECT_EQ(problem_, "");
}

TEST_F(MemoryGuardTest, ThenIdleConnectionsGo) {
  for (int i = 0; i < 2; ++i) {  // If that was enough, the same is enough again.
    EXPECT_THAT(Look(Milliseconds(20), kLimit + 1), ElementsAre("trim", "idle"));
    EXPECT_THAT(problem_, HasSubstr("512 MiB"));
    EXPECT_THAT(Look(Milliseconds(20), kLimit), IsEmpty());
  }
}

TEST_F(MemoryGuardTest, ThenAllOfClients) {
  Look(Milliseconds(20), kLimit + 1);
  for (int i = 0; i < 2; ++i) {
    // gRPC takes its time.
    EXPECT_THAT(Look(Milliseconds(200), kLimit + 1), IsEmpty());
    EXPECT_THAT(Look(Milliseconds(100), kLimit + 1), ElementsAre("trim", "all"));
    EXPECT_THAT(problem_, HasSubstr("all connections"));
  }
}

TEST_F(MemoryGuardTest, WhatGrowsOnIsNotWaitedFor) {
  Look(Milliseconds(20), kLimit + 1);
  EXPECT_THAT(Look(Milliseconds(20), kLimit + 15 * kMiB), IsEmpty());
  EXPECT_THAT(Look(Milliseconds(20), kLimit + 17 * kMiB), ElementsAre("trim", "all"));
  EXPECT_THAT(Look(Milliseconds(20), kLimit + 32 * kMiB), IsEmpty());
  EXPECT_THAT(Look(Milliseconds(20), kLimit + 33 * kMiB), ElementsAre("trim", "all"));
}

// Caches that take more than they were given, say: to reset connections for ever would not help.
TEST_F(MemoryGuardTest, WhatClientsDoNotHoldIsNotTheirFault) {
  const size_t held = kLimit + kMiB;
  EXPECT_THAT(Look(Seconds(1), held), ElementsAre("trim", "idle"));
  for (int i = 0; i < 4; ++i) EXPECT_THAT(Look(Seconds(1), held), ElementsAre("trim", "all")) << i;
  EXPECT_THAT(Look(Seconds(1), held), ElementsAre("trim"));
  EXPECT_THAT(problem_, HasSubstr("--memory-mib"));
  EXPECT_THAT(Look(Seconds(1), held + MemoryGuard::kReserve / 2), IsEmpty());
  EXPECT_THAT(Look(Seconds(1), held + MemoryGuard::kReserve / 2 + 1), ElementsAre("trim", "idle"));
  // It is forgotten as soon as the limit is kept again.
  EXPECT_THAT(Look(Seconds(1), kLimit), IsEmpty());
  EXPECT_THAT(Look(Seconds(1), kLimit + 1), ElementsAre("trim", "idle"));
}

// Those who come again as fast as they are reset must not raise the limit.
TEST_F(MemoryGuardTest, WhatWasWithinTheLimitInBetweenIsClients) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(Look(Seconds(1), kLimit + 1), ElementsAre("trim", "idle")) << i;
    EXPECT_THAT(Look(Seconds(1), kLimit), IsEmpty());
  }
}

TEST(MeasureHeldTest, WhatIsWrittenToIsHeld) {
  const size_t before = MemoryGuard::MeasureHeld();
  ASSERT_GT(before, kMiB);
  std::vector<char> bytes(64 * kMiB);
  std::memset(bytes.data(), 1, bytes.size());
  EXPECT_GT(MemoryGuard::MeasureHeld(), before + 48 * kMiB);
}

}  // namespace
}  // namespace decree::rpc
