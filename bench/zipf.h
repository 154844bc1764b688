#pragma once
// Numbers whose frequency falls with their rank: what YCSB calls zipfian, exponent 0.99, where of a million
// keys the most frequent one is asked for in some 7 % of all cases.
//
// Drawn by rejection inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from
// monotone discrete distributions", 1996): constant time and no table, whatever the number of keys.

#include <cstdint>

#include "paxos/base/random.h"

namespace decree::bench {

class Zipf {
 public:
  // Ranks 0 to `count` - 1, with probability in proportion to 1 / (rank + 1)^exponent. `count` above 0,
  // `exponent` above 0.
  Zipf(uint64_t count, double exponent);

  uint64_t Draw(Random& random) const;

 private:
  double Integral(double x) const;  // of x^-exponent, from 1
  double InverseIntegral(double y) const;

  const uint64_t count_;
  const double exponent_;
  double low_ = 0;   // Integral at 1.5, less the whole of rank 0
  double high_ = 0;  // Integral at count + 0.5
  double sure_ = 0;  // A candidate this near above the drawn point is taken without a look.
};

}  // namespace decree::bench
