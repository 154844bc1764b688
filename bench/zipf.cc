#include "bench/zipf.h"

#include <algorithm>
#include <cmath>

#include <glog/logging.h>

namespace decree::bench {

Zipf::Zipf(uint64_t count, double exponent) : count_(count), exponent_(exponent) {
  CHECK_GT(count, 0u);
  CHECK_GT(exponent, 0);
  low_ = Integral(1.5) - 1;
  high_ = Integral(static_cast<double>(count) + 0.5);
  sure_ = 2 - InverseIntegral(Integral(2.5) - std::pow(2, -exponent));
}

double Zipf::Integral(double x) const {
  const double log = std::log(x);
  const double power = (1 - exponent_) * log;
  // (x^(1-e) - 1) / (1-e), which near e = 1 is log x.
  return std::abs(power) < 1e-8 ? log : log * std::expm1(power) / power;
}

double Zipf::InverseIntegral(double y) const {
  const double scaled = std::max(y * (1 - exponent_), -1.0);
  return std::exp(std::abs(scaled) < 1e-8 ? y : y * std::log1p(scaled) / scaled);
}

uint64_t Zipf::Draw(Random& random) const {
  while (true) {
    const double unit = static_cast<double>(random.Next() >> 11) * 0x1.0p-53;
    const double y = high_ + unit * (low_ - high_);
    const double x = InverseIntegral(y);
    const double k = std::clamp(std::round(x), 1.0, static_cast<double>(count_));
    if (k - x <= sure_ || y >= Integral(k + 0.5) - std::pow(k, -exponent_)) {
      return static_cast<uint64_t>(k) - 1;
    }
  }
}

}  // namespace decree::bench
