#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace decree::bench {
namespace {

constexpr Duration kLargest = Seconds(3600);

}  // namespace

size_t Histogram::BucketOf(uint64_t value) {
  const int bits = std::bit_width(value);
  if (bits <= kLinearBits) return value;
  // Of a value of `bits` bits the upper kLinearBits count; the first of them is always 1.
  const int shift = bits - kLinearBits;
  const size_t half = size_t{1} << (kLinearBits - 1);
  return static_cast<size_t>(shift) * half + (value >> shift);
}

uint64_t Histogram::LastOf(size_t bucket) {
  const size_t half = size_t{1} << (kLinearBits - 1);
  if (bucket < 2 * half) return bucket;
  const size_t shift = bucket / half - 1;
  const uint64_t upper = bucket - shift * half;
  return ((upper + 1) << shift) - 1;
}

void Histogram::Add(Duration value) {
  value = std::clamp(value, Duration::zero(), kLargest);
  ++counts_[BucketOf(static_cast<uint64_t>(value.count()))];
  ++count_;
  sum_ += static_cast<double>(value.count());
  max_ = std::max(max_, value);
}

void Histogram::Add(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

Duration Histogram::mean() const {
  if (count_ == 0) return Duration::zero();
  return Duration(static_cast<int64_t>(sum_ / static_cast<double>(count_)));
}

Duration Histogram::Percentile(double percent) const {
  if (count_ == 0) return Duration::zero();
  const auto wanted =
      std::clamp<uint64_t>(static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_))), 1, count_);
  uint64_t seen = 0;
  size_t bucket = 0;
  while ((seen += counts_[bucket]) < wanted) ++bucket;
  return std::min(Duration(static_cast<int64_t>(LastOf(bucket))), max_);
}

}  // namespace decree::bench
