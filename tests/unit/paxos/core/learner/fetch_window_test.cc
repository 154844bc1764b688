#include "paxos/core/learner/fetch_window.h"

#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

class FetchWindowTest : public testing::Test {
 protected:
  // A Fetch is answered after so long.
  void RoundTrip(Duration duration) {
    window_.OnFetch(++number_, now_);
    now_ += duration;
    window_.OnAnswer(number_, now_);
  }
  // As many round trips as it takes for the window to settle, on a link of this rate.
  void RoundTrips(int count, Duration shortest, double bytes_per_second) {
    for (int i = 0; i < count; ++i) {
      const double queue = static_cast<double>(window_.bytes()) / bytes_per_second;
      RoundTrip(std::max(shortest, Duration(static_cast<int64_t>(queue * 1e9))));
    }
  }

  Options options_;
  FetchWindow window_{options_};
  uint64_t number_ = 0;
  Time now_ = kStart;
};

TEST_F(FetchWindowTest, BeginsWithOnePiece) { EXPECT_EQ(window_.bytes(), options_.fetch_piece_bytes); }

TEST_F(FetchWindowTest, FillsTheLinkAndQueuesNoLongerThanTheTarget) {
  // 100 Mbit/s and a round trip of a tenth of a second: 1.25 MB fill it.
  RoundTrips(30, Milliseconds(100), 12.5e6);
  EXPECT_GT(window_.bytes(), 1'250'000u);
  EXPECT_LT(window_.bytes(), 12.5e6 * 0.13);
}

TEST_F(FetchWindowTest, StaysAtOnePieceWhereTheLinkIsSlow) {
  RoundTrips(30, Milliseconds(1), 100'000);
  EXPECT_EQ(window_.bytes(), options_.fetch_piece_bytes);
}

TEST_F(FetchWindowTest, GrowsToItsLimitAndNoFurther) {
  RoundTrips(30, Milliseconds(1), 1e12);
  EXPECT_EQ(window_.bytes(), options_.fetch_window_bytes_max);
}

TEST_F(FetchWindowTest, ALongerRouteIsFoundOutInTime) {
  RoundTrips(30, Milliseconds(1), 12.5e6);
  const size_t before = window_.bytes();
  // The new route takes longer than what would be a long queue on the old one.
  RoundTrips(20, Milliseconds(60), 12.5e6);
  EXPECT_EQ(window_.bytes(), options_.fetch_piece_bytes);
  RoundTrips(300, Milliseconds(60), 12.5e6);
  EXPECT_GT(window_.bytes(), before);
}

TEST_F(FetchWindowTest, OnlyTheFirstAnswerToAFetchTellsOfItsRoundTrip) {
  window_.OnFetch(1, now_);
  window_.OnAnswer(1, now_ + Milliseconds(1));
  const size_t grown = window_.bytes();
  EXPECT_GT(grown, options_.fetch_piece_bytes);
  window_.OnAnswer(1, now_ + Seconds(9));
  EXPECT_EQ(window_.bytes(), grown);
  EXPECT_EQ(window_.patience(), options_.retransmit);
}

TEST_F(FetchWindowTest, ChangesOnceInARoundTrip) {
  for (uint64_t number = 1; number <= 4; ++number) window_.OnFetch(number, now_);
  window_.OnAnswer(1, now_ + Milliseconds(1));
  const size_t grown = window_.bytes();
  EXPECT_GT(grown, options_.fetch_piece_bytes);
  // Asked for before the change, they tell nothing of it.
  for (uint64_t number = 2; number <= 4; ++number) window_.OnAnswer(number, now_ + Milliseconds(1));
  EXPECT_EQ(window_.bytes(), grown);
}

TEST_F(FetchWindowTest, WaitsLongerWhereRoundTripsAreLong) {
  RoundTrip(Milliseconds(700));
  EXPECT_GE(window_.patience(), Milliseconds(1400));
}

TEST_F(FetchWindowTest, ATimeoutHalvesItAndAnotherSourceBeginsAfresh) {
  RoundTrips(10, Milliseconds(1), 1e12);
  const size_t before = window_.bytes();
  window_.OnTimeout();
  EXPECT_EQ(window_.bytes(), before / 2);
  RoundTrip(Milliseconds(700));
  window_.Reset();
  EXPECT_EQ(window_.bytes(), options_.fetch_piece_bytes);
  EXPECT_EQ(window_.patience(), options_.retransmit);
}

}  // namespace
}  // namespace decree::paxos
