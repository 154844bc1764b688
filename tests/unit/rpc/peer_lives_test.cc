#include "rpc/peer_lives.h"

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

constexpr Time kStart{Seconds(100)};

TEST(PeerLivesTest, APeerMayRestart) {
  PeerLives lives;
  for (const uint64_t life : {11, 12, 13}) {
    EXPECT_FALSE(lives.IsReplaced(life, kStart));
    lives.OnMessage(life, kStart);
    EXPECT_FALSE(lives.IsReplaced(life, kStart));
  }
}

TEST(PeerLivesTest, WhoeverComesBackAfterAnotherRunsTwice) {
  PeerLives lives;
  lives.OnMessage(11, kStart);
  lives.OnMessage(12, kStart + Seconds(1));
  EXPECT_TRUE(lives.IsReplaced(11, kStart + Seconds(2)));
  EXPECT_FALSE(lives.IsReplaced(12, kStart + Seconds(2)));
}

TEST(PeerLivesTest, AMistakeDoesNotLastForEver) {
  PeerLives lives;
  lives.OnMessage(12, kStart);
  lives.OnMessage(11, kStart);  // It had ended before, and its message was still on the way.
  EXPECT_TRUE(lives.IsReplaced(12, kStart + Seconds(29)));
  EXPECT_FALSE(lives.IsReplaced(12, kStart + Seconds(31)));
}

}  // namespace
}  // namespace decree::rpc
