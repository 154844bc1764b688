#pragma once
// A loop whose time is the test's.

#include "paxos/base/posix_clock.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

// Notes that an operation has ended.
class Flag final : public Event {
 public:
  bool is_set() const { return is_set_; }

 private:
  void OnEvent(bool) override { is_set_ = true; }
  bool is_set_ = false;
};

class ManualClock final : public Clock {
 public:
  Time Now() const override { return now_; }
  void Pass(Duration time) { now_ += time; }

 private:
  Time now_{Seconds(1000)};
};

// The time, and what the test has let pass beyond it.
class ShiftedClock final : public Clock {
 public:
  Time Now() const override { return clock_.Now() + shift_; }
  void Pass(Duration time) { shift_ += time; }

 private:
  const PosixClock clock_;
  Duration shift_{0};
};

class ManualLoop {
 public:
  ManualLoop() : loop_(clock_) {}

  EventLoop& loop() { return loop_; }
  // Lets time pass, and does what is due by then, second by second.
  void Pass(Duration time) {
    for (; time > Seconds(1); time -= Seconds(1)) PassAtOnce(Seconds(1));
    PassAtOnce(time);
  }
  // Lets time pass within a turn.
  void Linger(Duration time) { clock_.Pass(time); }
  // Does what is due now.
  void Run() {
    while (loop_.timers().RunDue(clock_.Now())) continue;
  }

 private:
  void PassAtOnce(Duration time) {
    clock_.Pass(time);
    loop_.Poll(clock_.Now());
    Run();
  }

  ManualClock clock_;
  EventLoop loop_;
};

}  // namespace decree::rpc
