#pragma once
// Virtual time, and what is to happen when.
//
// `Instant` is the true time of a simulated world. No node ever sees it: each has a clock of its own
// (node_clock.h).

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "paxos/base/time.h"

namespace decree::sim {

struct TrueTime {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<TrueTime, Duration>;
  static constexpr bool is_steady = true;
};

using Instant = TrueTime::time_point;

class EventQueue {
 public:
  using Action = std::function<void()>;

  Instant now() const { return now_; }

  void At(Instant when, Action action) {
    events_.push({.when = std::max(when, now_), .number = next_number_++, .action = std::move(action)});
  }
  void After(Duration delay, Action action) { At(now_ + delay, std::move(action)); }

  bool empty() const { return events_.empty(); }
  // When the next event is due; only if there is one.
  Instant next() const { return events_.top().when; }

  // Goes on to the next event and carries it out. Events of the same instant keep their order.
  void Step() {
    CHECK(!events_.empty());
    // The queue gives out constant references only; the action is not part of the order.
    Action action = std::move(const_cast<Event&>(events_.top()).action);
    now_ = events_.top().when;
    events_.pop();
    action();
  }

 private:
  struct Event {
    Instant when;
    uint64_t number = 0;
    Action action;

    bool operator<(const Event& other) const {  // the queue puts the greatest first
      return std::pair(other.when, other.number) < std::pair(when, number);
    }
  };

  Instant now_;
  uint64_t next_number_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace decree::sim
