#include "bench/histogram.h"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/base/random.h"

namespace decree::bench {
namespace {

TEST(HistogramTest, IsZeroWithoutValues) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), Duration::zero());
  EXPECT_EQ(histogram.mean(), Duration::zero());
  EXPECT_EQ(histogram.Percentile(99), Duration::zero());
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Add(Duration(i));
  EXPECT_EQ(histogram.Percentile(0), Duration(1));
  EXPECT_EQ(histogram.Percentile(50), Duration(50));
  EXPECT_EQ(histogram.Percentile(99), Duration(99));
  EXPECT_EQ(histogram.Percentile(100), Duration(100));
  EXPECT_EQ(histogram.mean(), Duration(50));
}

// Every percentile of values over nine orders of magnitude, against the sorted values.
TEST(HistogramTest, APercentileIsAtMostASixtyFourthTooHighAndNeverTooLow) {
  Random random(7);
  Histogram histogram;
  std::vector<Duration> values;
  for (int i = 0; i < 20'000; ++i) {
    const Duration value(random.Next() >> random.Between(23, 62));
    values.push_back(value);
    histogram.Add(value);
  }
  std::sort(values.begin(), values.end());
  for (double percent = 0.5; percent <= 100; percent += 0.5) {
    const auto rank = static_cast<size_t>(percent / 100 * static_cast<double>(values.size()));
    const Duration exact = values[rank - 1];
    const Duration found = histogram.Percentile(percent);
    EXPECT_GE(found, exact) << percent;
    EXPECT_LE(static_cast<double>(found.count()), static_cast<double>(exact.count()) * (1 + Histogram::kErrorMax))
        << percent;
  }
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(HistogramTest, WhatIsOutOfRangeCountsAsTheNearest) {
  Histogram histogram;
  histogram.Add(Duration(-5));
  EXPECT_EQ(histogram.Percentile(100), Duration::zero());
  histogram.Add(Duration::max());
  EXPECT_EQ(histogram.Percentile(100), Seconds(3600));
}

TEST(HistogramTest, AddsUp) {
  Histogram one, other, both;
  for (int i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? one : other).Add(Duration(i * 1000));
    both.Add(Duration(i * 1000));
  }
  one.Add(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.mean(), both.mean());
  EXPECT_EQ(one.max(), both.max());
  for (const double percent : {1.0, 50.0, 99.9}) {
    EXPECT_EQ(one.Percentile(percent), both.Percentile(percent));
  }
}

}  // namespace
}  // namespace decree::bench
