#pragma once
// A random generator whose sequence we own: the same seed gives the same numbers on every platform
// and with every standard library, so that a simulated run can be repeated from its seed.
//
// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators"). Not for secrets.

#include <cstdint>

#include <glog/logging.h>

#include "paxos/base/time.h"

namespace decree {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Uniform in [0, limit). The modulo's bias is below 2^-32 for the limits that we use.
  uint64_t Below(uint64_t limit) {
    CHECK_GT(limit, 0u);
    return Next() % limit;
  }

  // Uniform in [low, high], both included.
  uint64_t Between(uint64_t low, uint64_t high) {
    CHECK_LE(low, high);
    return low + Below(high - low + 1);
  }
  Duration Between(Duration low, Duration high) {
    CHECK_LE(low.count(), high.count());
    return low + Duration(Below(static_cast<uint64_t>((high - low).count()) + 1));
  }

  // True with the given probability, 0 to 1.
  bool Chance(double probability) { return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability; }

  // An independent generator; its numbers say nothing of ours.
  Random Fork() { return Random(Next()); }

 private:
  uint64_t state_;
};

}  // namespace decree
