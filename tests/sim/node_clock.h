#pragma once
// One machine's CLOCK_BOOTTIME in virtual time: begins anywhere, runs a little too fast or too slow,
// and goes on while its process works or is paused.

#include "paxos/base/time.h"
#include "tests/sim/event_queue.h"

namespace decree::sim {

class NodeClock final : public Clock {
 public:
  // Reads `start` at the beginning of the world. `queue` must outlive the clock.
  NodeClock(const EventQueue& queue, Time start) : queue_(queue), base_time_(start) {}

  Time Now() const override { return At(queue_.now() + busy_); }
  Time At(Instant instant) const { return base_time_ + Scale(instant - base_instant_, 1'000'000 + ppm_, 1'000'000); }
  // The first instant at which the clock shows this time or a later one.
  Instant WhenShows(Time time) const {
    return base_instant_ + Scale(time - base_time_, 1'000'000, 1'000'000 + ppm_) + Duration(1);
  }

  // From now on the clock gains so many parts per million on true time.
  void SetRate(int64_t ppm) {
    base_time_ = At(queue_.now());
    base_instant_ = queue_.now();
    ppm_ = ppm;
  }

  // The clock leaps ahead: the machine was suspended, or its clock corrected.
  void Leap(Duration ahead) { base_time_ += ahead; }

  // ---- Time that the process spends within one event: a slow sync, a pause ----

  void Spend(Duration duration) { busy_ += duration; }
  Duration spent() const { return busy_; }
  void BeginEvent() { busy_ = Duration::zero(); }

 private:
  static Duration Scale(Duration duration, int64_t numerator, int64_t denominator) {
    return Duration(static_cast<int64_t>(static_cast<__int128>(duration.count()) * numerator / denominator));
  }

  const EventQueue& queue_;
  Instant base_instant_;
  Time base_time_;
  int64_t ppm_ = 0;
  Duration busy_ = Duration::zero();
};

}  // namespace decree::sim
