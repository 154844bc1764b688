#pragma once
// The one thread of a node: a gRPC completion queue, timers, and nothing else that waits.
//
// Servers' and clients' calls share the queue, so that a request, the messages that follow from it
// and its answer need no change of threads. An operation is started with the tag `Tag(event)`; the event comes back in
// `Poll`, once, whatever becomes of the operation.
//
// For the loop's thread, except `Wakeup::Ring` and where it says so.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include "absl/container/btree_map.h"

#include "paxos/base/time.h"
#include "rpc/loop/event.h"
#include "rpc/loop/tag_order.h"

namespace decree::rpc {

class Timer;

// The timers, in the order in which they are due.
class TimerQueue {
 public:
  // When the next one is due; kTimeNever if there is none.
  Time NextDeadline() const { return timers_.empty() ? kTimeNever : timers_.begin()->first.first; }
  // Runs the timers that are due at `now`. True if any was.
  bool RunDue(Time now);

 private:
  friend class Timer;
  // When it is due, and the number of the setting: timers that are due at the same time run in the order in which they
  // were set.
  using Due = std::pair<Time, uint64_t>;
  // Each write sets a timer and cancels it, for which a binary tree would touch memory all over.
  absl::btree_map<Due, Timer*> timers_;
  uint64_t settings_ = 0;
};

// An alarm clock. It may be set again and again, and goes off at most once for each setting. Its destruction cancels
// it; its own action must not destroy it.
class Timer {
 public:
  Timer(TimerQueue& queue, std::function<void()> action);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { Cancel(); }

  void Set(Time at);
  void Cancel();
  bool is_set() const { return is_set_; }

 private:
  friend class TimerQueue;
  TimerQueue& queue_;
  const std::function<void()> action_;
  bool is_set_ = false;
  TimerQueue::Due due_;
};

class EventLoop {
 public:
  // Bounds a turn, so that the node gets its own however fast requests come.
  static constexpr size_t kEventsMax = 4096;
  explicit EventLoop(const Clock& clock, size_t events_max = kEventsMax);
  // All operations must have ended.
  ~EventLoop();

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }
  TimerQueue& timers() { return timers_; }
  Time Now() const { return clock_.Now(); }
  // The time at some moment since the last Poll began, for what need not be exact: a look at the clock takes longer
  // than many an event.
  Time RoughlyNow() {
    if (!roughly_now_.has_value()) roughly_now_ = Now();
    return *roughly_now_;
  }

  // The tag to pass to one operation.
  void* Tag(Event& event) {
    ExpectTag();
    return ExpectedTag(event);
  }
  // The same in two steps: the loop expects an operation, and any thread starts it.
  void ExpectTag() { pending_.fetch_add(1, std::memory_order_relaxed); }
  void* ExpectedTag(Event& event) { return GiveTag(&event); }
  // How many operations have not ended.
  size_t pending() const { return pending_.load(std::memory_order_relaxed); }

  // How often Poll was called: another number in each turn of the loop.
  uint64_t turn() const { return turn_; }

  // Waits for an event until `until`, then handles it and all that are ready by then, `events_max` at most: what has
  // gathered makes one batch. Returns how many there were. Unary answers that they have written may be held:
  // PushHeldWrites when no more are to leave with them, or else the next Poll, sends them.
  size_t Poll(Time until);

 private:
  bool HandleNext(gpr_timespec deadline);
  void LookAtSockets();

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::CompletionQueue no_events_;  // an empty one, by which gRPC is told to look at the sockets
  const Clock& clock_;
  const size_t events_max_;
  std::optional<Time> roughly_now_;
  uint64_t turn_ = 0;
  Time looked_at_;         // all sockets
  bool has_more_ = false;  // events that the last turn has left, perhaps
  TimerQueue timers_;
  std::atomic<size_t> pending_{0};
};

// Lets another thread wake the loop, once.
class Wakeup final : private Event {
 public:
  Wakeup(EventLoop& loop, std::function<void()> action);

  // Any thread; `action` then runs in the loop. Only the first ring counts.
  void Ring();

 private:
  void OnEvent(bool ok) override;

  EventLoop& loop_;
  const std::function<void()> action_;
  std::atomic<bool> was_rung_{false};
  grpc::Alarm alarm_;
};

}  // namespace decree::rpc
