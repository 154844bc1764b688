#include "rpc/client/client_loop.h"

#include <algorithm>
#include <utility>

#include <grpc/support/time.h>

#include "rpc/tag_order.h"

namespace decree::rpc {

ClientLoop::ClientLoop() : thread_([this] { Run(); }) {}

ClientLoop::~ClientLoop() {
  queue_.Shutdown();
  thread_.join();
}

void* ClientLoop::Tag(Event& event) { return GiveTag(&event); }

void ClientLoop::At(Time when, std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  timers_.emplace(when, std::move(action));
  if (when >= sleeps_until_ || is_waking_ || IsOwnThread()) return;
  is_waking_ = true;
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(&queue_, gpr_now(GPR_CLOCK_MONOTONIC), Tag(wake_));
}

void ClientLoop::Wake::OnEvent(bool) {
  const std::lock_guard lock(loop_.mutex_);
  loop_.is_waking_ = false;
}

void ClientLoop::Run() {
  while (true) {
    const Time until = RunTimers();
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (until != kTimeNever) {
      const Duration left = std::max(until - Now(), Duration::zero());
      deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                              gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
    }
    void* tag = nullptr;
    bool ok = false;
    switch (TakeTag(queue_, deadline, &tag, &ok)) {
      case grpc::CompletionQueue::SHUTDOWN:
        return;
      case grpc::CompletionQueue::TIMEOUT:
        break;
      case grpc::CompletionQueue::GOT_EVENT:
        static_cast<Event*>(tag)->OnEvent(ok);
        break;
    }
  }
}

Time ClientLoop::RunTimers() {
  std::unique_lock lock(mutex_);
  sleeps_until_ = Time::min();
  while (!timers_.empty() && timers_.begin()->first <= Now()) {
    const std::function<void()> action = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    lock.unlock();
    action();
    lock.lock();
  }
  sleeps_until_ = timers_.empty() ? kTimeNever : timers_.begin()->first;
  return sleeps_until_;
}

}  // namespace decree::rpc
