#include "rpc/client/client_loop.h"

#include <algorithm>
#include <utility>

#include <grpc/support/time.h>

#include "rpc/loop/tag_order.h"

namespace decree::rpc {
namespace {

constexpr int kEventsMax = 256;  // in one batch

}  // namespace

ClientLoop::ClientLoop(std::function<void()> after_batch) : after_batch_(std::move(after_batch)) {}

void ClientLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

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
  for (bool goes_on = true; goes_on;) {
    const Time until = RunTimers();
    after_batch_();
    goes_on = HandleEvents(until);
  }
}

bool ClientLoop::HandleEvents(Time until) {
  gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
  if (until != kTimeNever) {
    const Duration left = std::max(until - Now(), Duration::zero());
    deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
  }
  for (int handled = 0; handled < kEventsMax; ++handled) {
    void* tag = nullptr;
    bool ok = false;
    const auto status = TakeTag(queue_, deadline, &tag, &ok);
    if (status == grpc::CompletionQueue::SHUTDOWN) return false;
    if (status == grpc::CompletionQueue::TIMEOUT) return true;
    static_cast<Event*>(tag)->OnEvent(ok);
    deadline = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  }
  return true;
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
