#include "rpc/loop/answer_room.h"

#include <algorithm>

#include <glog/logging.h>

#include "paxos/base/probe.h"

namespace decree::rpc {
namespace {

// How often it is looked for those who take nothing, while the room is short.
constexpr Duration kLookEvery = Seconds(1);

}  // namespace

// ---- Pieces ----

void AnswerRoom::Piece::Resize(size_t bytes) {
  if (bytes > bytes_) taker_->Hold(bytes - bytes_);
  if (bytes < bytes_) taker_->Leave(bytes_ - bytes);
  bytes_ = bytes;
}

void AnswerRoom::Piece::Join(Piece other) {
  if (taker_ == nullptr) return std::swap(*this, other);
  CHECK(other.taker_ == taker_ || other.bytes_ == 0);
  bytes_ += std::exchange(other.bytes_, 0);
}

// ---- Takers ----

AnswerRoom::Taker::Taker(AnswerRoom& room, std::function<std::string()> cancel)
    : room_(room),
      cancel_(std::move(cancel)),
      position_(room.takers_.insert(room.takers_.end(), this)) {}

AnswerRoom::Taker::~Taker() {
  CHECK_EQ(held_, 0u);
  CHECK(waiting_.empty());
  room_.takers_.erase(position_);
}

AnswerRoom::Piece AnswerRoom::Taker::Charge(size_t bytes) {
  Hold(bytes);
  return Piece(*this, bytes);
}

void AnswerRoom::Taker::Await(Size size, Time until, std::function<void(bool)> then) {
  if (room_.is_closed_ || is_closed_) return then(false);
  PROBE("an answer waits for room");
  const auto waiter = waiting_.emplace(waiting_.end(), size, std::move(then));
  if (until != kTimeNever) {
    waiter->deadline.emplace(room_.loop_.timers(), [this, waiter] { End(waiter, false); });
    waiter->deadline->Set(until);
  }
  if (waiting_.size() == 1) room_.queue_.push_back(this);
  room_.ServeSoon();
}

void AnswerRoom::Taker::Close() {
  is_closed_ = true;
  while (!waiting_.empty()) End(waiting_.begin(), false);
}

void AnswerRoom::Taker::End(std::list<Waiter>::iterator waiter, bool has_room) {
  if (waiter->deadline.has_value()) waiter->deadline->Cancel();
  const std::function<void(bool)> then = std::exchange(waiter->then, nullptr);
  room_.ended_.splice(room_.ended_.end(), waiting_, waiter);
  if (waiting_.empty()) std::erase(room_.queue_, this);
  room_.ServeSoon();
  then(has_room);
}

void AnswerRoom::Taker::Hold(size_t bytes) {
  if (held_ == 0) taken_at_ = room_.loop_.RoughlyNow();
  held_ += bytes;
  room_.held_ += bytes;
  if (room_.turn_ != room_.loop_.turn()) room_.built_ = 0;
  room_.turn_ = room_.loop_.turn();
  room_.built_ += bytes;
}

void AnswerRoom::Taker::Leave(size_t bytes) {
  CHECK_LE(bytes, held_);
  held_ -= bytes;
  room_.held_ -= bytes;
  taken_at_ = room_.loop_.RoughlyNow();
  if (!room_.queue_.empty()) room_.ServeSoon();
}

// ---- The room ----

AnswerRoom::AnswerRoom(EventLoop& loop, const Limits& limits)
    : loop_(loop),
      limits_(limits),
      serve_timer_(loop.timers(), [this] { Serve(); }),
      look_timer_(loop.timers(), [this] { CancelTheIdle(); }) {}

AnswerRoom::~AnswerRoom() { CHECK(takers_.empty()) << "a taker is there without its room"; }

void AnswerRoom::Close() {
  is_closed_ = true;
  while (!queue_.empty()) {
    Taker& taker = *queue_.front();
    taker.End(taker.waiting_.begin(), false);
  }
}

bool AnswerRoom::Fits(Size size) const {
  return held_ < (size == Size::kSmall ? limits_.bytes_max : limits_.bytes_max / 4 * 3);
}

void AnswerRoom::ServeSoon() {
  if (!serve_timer_.is_set()) serve_timer_.Set(loop_.Now());
}

void AnswerRoom::Serve() {
  ended_.clear();
  bool is_short = false;
  bool waits_for_turn = false;
  for (size_t i = 0; i < queue_.size();) {
    Taker& taker = *queue_[i];
    const auto waiter = taker.waiting_.begin();
    const bool fits = taker.Fits(waiter->size);
    if (!taker.HasShare() || !fits || !taker.IsItsTurn(waiter->size)) {
      is_short = is_short || (taker.HasShare() && !fits);
      waits_for_turn = waits_for_turn || (taker.HasShare() && fits);
      ++i;
      continue;
    }
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
    queue_.push_back(&taker);  // It is the turn of the others; `End` takes it out if nobody waits any more.
    taker.End(waiter, true);
    i = 0;
    is_short = false;
    waits_for_turn = false;
  }
  // Later than now, so that the loop goes round first.
  if (waits_for_turn) serve_timer_.Set(loop_.Now() + Duration(1));
  if (!is_short) return look_timer_.Cancel();
  if (!look_timer_.is_set()) look_timer_.Set(loop_.Now() + kLookEvery);
}

void AnswerRoom::CancelTheIdle() {
  const Time now = loop_.Now();
  for (Taker* const taker : takers_) {
    if (taker->held_ == 0 || now - taker->taken_at_ < limits_.patience) continue;
    PROBE("who took no answers was cancelled");
    taker->taken_at_ = now;  // It has as long to go.
    const std::string who = taker->cancel_();
    LOG_EVERY_T(WARNING, 1) << who << " has taken none of " << taker->held_ << " bytes of answers for "
                            << std::chrono::duration_cast<std::chrono::seconds>(limits_.patience).count()
                            << " s while others waited for room, and is cut off";
  }
  ServeSoon();
}

}  // namespace decree::rpc
