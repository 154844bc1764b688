#include "rpc/kv/waiting_room.h"

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

}  // namespace

WaitingRoom::WaitingRoom(EventLoop& loop, Duration patience)
    : loop_(loop), patience_(patience), retry_timer_(loop.timers(), [this] { TryAll(); }) {}

void WaitingRoom::Enter(std::function<void()> try_again) {
  waiting_.push_back(std::move(try_again));
  if (!retry_timer_.is_set()) retry_timer_.Set(loop_.Now() + kRetryAfter);
}

void WaitingRoom::TryAll() {
  // A request that has to wait longer enters again.
  for (const auto& try_again : std::exchange(waiting_, {})) try_again();
}

Time AnswerBy(Time now, Duration time_left) {
  return now + time_left - std::min<Duration>(time_left / kMarginShare, kMarginMax);
}

}  // namespace decree::rpc
