#include "rpc/loop/event_loop.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>
#include <grpcpp/server_builder.h>

#include "rpc/loop/held_writes.h"
#include "rpc/loop/paced_reads.h"

namespace decree::rpc {
namespace {

// How often the queue is found empty before it is. An operation that has ended at once, as a write does that the kernel
// takes, makes gRPC leave out its next look at the sockets. With one such in each turn it would never look at them.
constexpr int kLooks = 2;
// How often all sockets are looked at, how many at most, and how often nothing is read before that is all.
constexpr Duration kLookAtAllEvery = Milliseconds(20);
constexpr int kSocketsMax = 1024;
constexpr int kVainLooks = 8;
// How many events' answers leave together: while they are held, those who wait for them have nothing to do.
constexpr size_t kHeldEventsMax = 32;
// How long a node that has had clients waits for an event.
constexpr Duration kIdleMax = Milliseconds(50);

}  // namespace

// ---- Timers ----

Timer::Timer(TimerQueue& queue, std::function<void()> action) : queue_(queue), action_(std::move(action)) {}

void Timer::Set(Time at) {
  Cancel();
  due_ = {at, queue_.settings_++};
  queue_.timers_.emplace(due_, this);
  is_set_ = true;
}

void Timer::Cancel() {
  if (!is_set_) return;
  queue_.timers_.erase(due_);
  is_set_ = false;
}

bool TimerQueue::RunDue(Time now) {
  bool any = false;
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    Timer* const timer = timers_.begin()->second;
    timer->Cancel();
    timer->action_();
    any = true;
  }
  return any;
}

// ---- Loop ----

// Only a builder makes queues for servers.
EventLoop::EventLoop(const Clock& clock, size_t events_max)
    : queue_(grpc::ServerBuilder().AddCompletionQueue()), clock_(clock), events_max_(events_max) {}

EventLoop::~EventLoop() {
  CHECK_EQ(pending(), 0u) << "operations were left behind";
  queue_->Shutdown();
  no_events_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (no_events_.Next(&tag, &ok)) continue;
  while (queue_->Next(&tag, &ok)) LOG(FATAL) << "an event that nobody waits for";
}

size_t EventLoop::Poll(Time until) {
  PushHeldWrites();
  roughly_now_.reset();
  ++turn_;
  PacedReads& reads = PacedReads::Get();
  // What has been read goes first, and sockets that wait for their turn are no event.
  if (reads.BeginTurn(!has_more_)) until = std::min(until, has_more_ ? Now() : Now() + kIdleMax);
  // gRPC has its own clock, so what passes between the two is how long to wait.
  const Duration wait = until == kTimeNever ? std::chrono::hours(1) : std::max(until - Now(), Duration::zero());
  const gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait.count(), GPR_TIMESPAN));
  size_t handled = HandleNext(deadline) ? 1 : 0;
  if (Now() > looked_at_ + kLookAtAllEvery) LookAtSockets();
  for (int looks = 0; looks < kLooks && handled < events_max_;) {
    if (!HandleNext(gpr_inf_past(GPR_CLOCK_MONOTONIC))) {
      ++looks;
    } else if (++handled % kHeldEventsMax == 0) {
      PushHeldWrites();
    }
  }
  has_more_ = handled >= events_max_;
  reads.EndTurn();
  return handled;
}

// gRPC looks at sockets only where it finds no event, and then at one. Other nodes would not be heard in time among
// hundreds of clients if it did not look, now and then, until there is nothing to read.
void EventLoop::LookAtSockets() {
  PushHeldWrites();
  void* tag = nullptr;
  bool ok = false;
  for (int sockets = 0, in_vain = 0; sockets < kSocketsMax && in_vain < kVainLooks; ++sockets) {
    const uint64_t reads = PacedReads::CountReads();
    const auto status = no_events_.AsyncNext(&tag, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC));
    CHECK_EQ(status, grpc::CompletionQueue::TIMEOUT);
    in_vain = PacedReads::CountReads() == reads ? in_vain + 1 : 0;
  }
  looked_at_ = Now();
}

bool EventLoop::HandleNext(gpr_timespec deadline) {
  void* tag = nullptr;
  bool ok = false;
  if (TakeTag(*queue_, deadline, &tag, &ok) != grpc::CompletionQueue::GOT_EVENT) return false;
  pending_.fetch_sub(1, std::memory_order_relaxed);
  static_cast<Event*>(tag)->OnEvent(ok);
  return true;
}

// ---- Wakeup ----

Wakeup::Wakeup(EventLoop& loop, std::function<void()> action) : loop_(loop), action_(std::move(action)) {}

void Wakeup::Ring() {
  if (was_rung_.exchange(true)) return;
  alarm_.Set(loop_.queue(), gpr_now(GPR_CLOCK_MONOTONIC), loop_.Tag(*this));
}

void Wakeup::OnEvent(bool) { action_(); }

}  // namespace decree::rpc
