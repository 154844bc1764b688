#pragma once
// How long to wait before the next attempt: exponential with full jitter, so that clients that
// failed together do not come back together.

#include <algorithm>
#include <cstdint>

#include "paxos/base/random.h"
#include "paxos/base/time.h"

namespace decree::rpc {

struct BackoffOptions {
  Duration base = Milliseconds(20);
  Duration max = Milliseconds(1000);
};

// The pause after `failures` failures in a row, 1 at least: uniform from 0 to base * 2^(failures - 1), but `max` at
// most.
inline Duration Backoff(const BackoffOptions& options, int failures, Random& random) {
  const int doublings = std::clamp(failures - 1, 0, 20);
  const Duration limit = std::min(options.max, options.base * (int64_t{1} << doublings));
  return random.Between(Duration::zero(), limit);
}

}  // namespace decree::rpc
