#include "rpc/loop/budget.h"

#include <glog/logging.h>

#include "paxos/base/rare_case.h"

namespace decree::rpc {
namespace {

// How often it is looked for those who take nothing, while the room is short.
constexpr Duration kLookEvery = Seconds(1);

}  // namespace

// ---- Pieces ----

void Budget::Piece::Resize(size_t bytes) {
  if (is_excused_) {
    holder_->excused_ -= bytes_;
    is_excused_ = false;
  }
  if (bytes > bytes_) holder_->Hold(bytes - bytes_);
  if (bytes < bytes_) holder_->Leave(bytes_ - bytes);
  bytes_ = bytes;
}

void Budget::Piece::Excuse() {
  if (std::exchange(is_excused_, true)) return;
  holder_->excused_ += bytes_;
}

void Budget::Piece::Join(Piece other) {
  if (holder_ == nullptr) return std::swap(*this, other);
  CHECK(other.holder_ == holder_ || other.bytes_ == 0);
  CHECK(!is_excused_ && !other.is_excused_);
  bytes_ += std::exchange(other.bytes_, 0);
}

// ---- Holders ----

Budget::Holder::Holder(Budget& budget, std::function<std::string()> cancel)
    : budget_(budget), cancel_(std::move(cancel)), position_(budget.holders_.insert(budget.holders_.end(), this)) {}

Budget::Holder::~Holder() {
  CHECK_EQ(held_, 0u);
  for (const auto& waiting : waiting_) CHECK(waiting.empty());
  budget_.holders_.erase(position_);
}

Budget::Piece Budget::Holder::Charge(size_t bytes) {
  Hold(bytes);
  return Piece(*this, bytes);
}

void Budget::Holder::Await(Size size, Time until, std::function<void(bool)> then) {
  if (budget_.is_closed_ || is_closed_) return then(false);
  RARE_CASE("a message waits for room");
  std::list<Waiter>& waiting = WaitingFor(size);
  const auto waiter = waiting.emplace(waiting.end(), size, std::move(then));
  if (until != kTimeNever) {
    waiter->deadline.emplace(budget_.loop_.timers(), [this, waiter] { End(waiter, false); });
    waiter->deadline->Set(until);
  }
  if (waiting.size() == 1) budget_.QueueFor(size).push_back(this);
  budget_.ServeSoon();
}

void Budget::Holder::Close() {
  is_closed_ = true;
  for (auto& waiting : waiting_) {
    while (!waiting.empty()) End(waiting.begin(), false);
  }
}

void Budget::Holder::End(std::list<Waiter>::iterator waiter, bool has_room) {
  if (waiter->deadline.has_value()) waiter->deadline->Cancel();
  const std::function<void(bool)> then = std::exchange(waiter->then, nullptr);
  std::list<Waiter>& waiting = WaitingFor(waiter->size);
  budget_.ended_.splice(budget_.ended_.end(), waiting, waiter);
  if (waiting.empty()) std::erase(budget_.QueueFor(waiter->size), this);
  budget_.ServeSoon();
  then(has_room);
}

void Budget::Holder::Hold(size_t bytes) {
  if (held_ == 0) gave_back_at_ = budget_.loop_.RoughlyNow();
  held_ += bytes;
  budget_.held_ += bytes;
  if (SizeOf(bytes) == Size::kLarge) budget_.NoteBuilt(bytes);
}

void Budget::Holder::Leave(size_t bytes) {
  CHECK_LE(bytes, held_);
  held_ -= bytes;
  budget_.held_ -= bytes;
  gave_back_at_ = budget_.loop_.RoughlyNow();
  for (const auto& queue : budget_.queues_) {
    if (!queue.empty()) budget_.ServeSoon();
  }
}

// ---- The room ----

Budget::Budget(EventLoop& loop, const Limits& limits)
    : loop_(loop),
      limits_(limits),
      serve_timer_(loop.timers(), [this] { Serve(); }),
      look_timer_(loop.timers(), [this] { CancelTheIdle(); }) {}

Budget::~Budget() { CHECK(holders_.empty()) << "a holder is there without its room"; }

void Budget::Close() {
  is_closed_ = true;
  for (auto& queue : queues_) {
    while (!queue.empty()) queue.front()->Close();
  }
}

bool Budget::Fits(Size size) const {
  return held_ < (size == Size::kSmall ? limits_.bytes_max : limits_.bytes_max / 4 * 3);
}

void Budget::ServeSoon() {
  if (!serve_timer_.is_set()) serve_timer_.Set(loop_.Now());
}

bool Budget::IsTurnOver(Size size) const {
  if (size == Size::kSmall || turn_ != loop_.turn() || built_ == 0) return false;
  return built_ >= limits_.turn_bytes || loop_.Now() - loop_.RoughlyNow() >= limits_.turn_time;
}

void Budget::NoteBuilt(size_t bytes) {
  if (turn_ != loop_.turn()) built_ = 0;
  turn_ = loop_.turn();
  built_ += bytes;
}

void Budget::Serve() {
  ended_.clear();
  const bool is_short_of_little = ServeQueue(Size::kSmall);
  const bool is_short_of_much = ServeQueue(Size::kLarge);
  if (!is_short_of_little && !is_short_of_much) return look_timer_.Cancel();
  if (!look_timer_.is_set()) look_timer_.Set(loop_.Now() + kLookEvery);
}

bool Budget::ServeQueue(Size size) {
  std::deque<Holder*>& queue = QueueFor(size);
  bool is_short = false;
  // A waiter that is passed over finds no room before the next call: those that are served only take some.
  for (size_t i = 0; i < queue.size();) {
    if (IsTurnOver(size)) {
      serve_timer_.Set(loop_.Now() + Duration(1));  // Later than now: the loop goes round first.
      break;
    }
    Holder& holder = *queue[i];
    if (!holder.HasShare() || !holder.Fits(size)) {
      is_short = is_short || holder.HasShare();
      ++i;
      continue;
    }
    queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(i));
    queue.push_back(&holder);  // It is the turn of the others; `End` takes it out if nobody waits any more.
    holder.End(holder.WaitingFor(size).begin(), true);
  }
  return is_short;
}

void Budget::CancelTheIdle() {
  const Time now = loop_.Now();
  for (Holder* const holder : holders_) {
    if (holder->held_ == holder->excused_ || now - holder->gave_back_at_ < limits_.patience) continue;
    RARE_CASE("who gave no room back was cancelled");
    holder->gave_back_at_ = now;  // It has as long to go.
    const size_t held = holder->held_;
    const std::string who = holder->cancel_();
    LOG_EVERY_T(WARNING, 1) << who << " has " << limits_.fault << ", " << held << " bytes, for "
                            << std::chrono::duration_cast<std::chrono::seconds>(limits_.patience).count()
                            << " s while others waited for room, and is cut off";
  }
  ServeSoon();
}

}  // namespace decree::rpc
