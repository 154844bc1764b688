#pragma once
// Time as one node sees it. Only differences between readings of the same node's clock mean anything.
//
// The clock is CLOCK_BOOTTIME: it goes on while the machine is suspended and nobody can set it, which
// is what a lease needs (rule 7). Wall clocks decide nothing in this system.

#include <chrono>
#include <cstdint>

namespace decree {

using Duration = std::chrono::nanoseconds;

// The tag of our time points; std::chrono wants a clock type for them.
struct NodeClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<NodeClock, Duration>;
  static constexpr bool is_steady = true;
};

using Time = NodeClock::time_point;

inline constexpr Time kTimeNever = Time::max();

constexpr Duration Milliseconds(int64_t count) { return std::chrono::milliseconds(count); }
constexpr Duration Seconds(int64_t count) { return std::chrono::seconds(count); }
constexpr int64_t ToMilliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time Now() const = 0;
};

}  // namespace decree
