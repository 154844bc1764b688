#include "rpc/peer/peer_lives.h"

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

constexpr Time kStart{Seconds(100)};

TEST(PeerLivesTest, APeerMayRestartAsOftenAsItLikes) {
  PeerLives lives;
  for (uint64_t life = 1; life < 100; ++life) {
    EXPECT_TRUE(lives.Greet(life, kStart));
    EXPECT_TRUE(lives.Greet(life, kStart));
  }
}

TEST(PeerLivesTest, AGreetingThatComesLateDoesNotLockTheSuccessorOut) {
  PeerLives lives;
  for (const uint64_t life : {12, 11, 12, 11, 12}) EXPECT_TRUE(lives.Greet(life, kStart));
}

TEST(PeerLivesTest, OfTwoThatTakeTurnsOneIsRefused) {
  PeerLives lives;
  const auto turn = [&](Time now) {
    const bool first = lives.Greet(11, now);
    const bool second = lives.Greet(12, now);
    return first && second;
  };
  int turns = 0;
  while (turn(kStart) && turns < 100) ++turns;
  EXPECT_LT(turns, 10);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(turn(kStart + Seconds(i)));
  // One of them has been stopped; the other is let in again.
  EXPECT_TRUE(lives.Greet(11, kStart + Seconds(60)));
  EXPECT_TRUE(lives.Greet(11, kStart + Seconds(61)));
}

}  // namespace
}  // namespace decree::rpc
