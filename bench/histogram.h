#pragma once
// Counts durations in buckets whose width grows with the value, so that any percentile is known within
// one part in 64, whatever its size, in a few KiB. (The idea of HdrHistogram.)
//
// Not thread-safe; histograms of several threads are added up.

#include <array>
#include <cstddef>
#include <cstdint>

#include "paxos/base/time.h"

namespace decree::bench {

class Histogram {
 public:
  // A value is reported at most this part of itself too high, and never too low.
  static constexpr double kErrorMax = 1.0 / 64;

  // Below zero counts as zero; what is above an hour, as an hour.
  void Add(Duration value);
  void Add(const Histogram& other);

  uint64_t count() const { return count_; }
  // Exact; zero without values.
  Duration max() const { return max_; }
  Duration mean() const;
  // The least duration that at least `percent` of all values do not exceed, 0 to 100; zero without values.
  Duration Percentile(double percent) const;

 private:
  // Values below 2^kLinearBits ns have buckets of 1 ns; each doubling above has 2^(kLinearBits - 1) buckets.
  static constexpr int kLinearBits = 7;
  static constexpr int kValueBits = 42;  // above an hour in ns
  static constexpr size_t kBuckets =
      (size_t{1} << kLinearBits) + (kValueBits - kLinearBits) * (size_t{1} << (kLinearBits - 1));

  static size_t BucketOf(uint64_t value);
  static uint64_t LastOf(size_t bucket);

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  double sum_ = 0;
  Duration max_{};
};

}  // namespace decree::bench
