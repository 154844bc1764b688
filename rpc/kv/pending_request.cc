#include "rpc/kv/pending_request.h"

#include <algorithm>
#include <utility>

namespace decree::rpc {
namespace {

// The answer leaves this much before the caller's deadline: a share of what is left, up to a limit.
constexpr int kMarginShare = 20;
constexpr Duration kMarginMax = Milliseconds(50);
// What may change without a change of leadership: the connection to the leader comes up, a node that
// has just begun to lead is ready.
constexpr Duration kRetryAfter = Milliseconds(10);

Time AnswerBy(Time now, Duration time_left) {
  return now + time_left - std::min<Duration>(time_left / kMarginShare, kMarginMax);
}

}  // namespace

PendingRequest::PendingRequest(EventLoop& loop, WaitingRoom& room, Duration time_left)
    : room_(room),
      answer_by_(AnswerBy(loop.Now(), time_left)),
      deadline_timer_(loop.timers(), [this] { OnDeadline(); }) {
  deadline_timer_.Set(answer_by_);
}

bool PendingRequest::Wait() {
  const Time now = room_.Now();
  waits_since_ = std::min(waits_since_, now);
  if (now - waits_since_ >= room_.patience()) return false;
  room_.Enter(shared_from_this());
  return true;
}

WaitingRoom::WaitingRoom(EventLoop& loop, Duration patience)
    : loop_(loop), patience_(patience), retry_timer_(loop.timers(), [this] { TryAll(); }) {}

void WaitingRoom::Enter(std::shared_ptr<PendingRequest> request) {
  waiting_.push_back(std::move(request));
  if (!retry_timer_.is_set()) retry_timer_.Set(loop_.Now() + kRetryAfter);
}

void WaitingRoom::TryAll() {
  // Whoever must wait on enters anew.
  for (const auto& request : std::exchange(waiting_, {})) request->Try();
}

}  // namespace decree::rpc
