#include "rpc/loop/answer_room.h"

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
  for (const auto& waiting : waiting_) CHECK(waiting.empty());
  room_.takers_.erase(position_);
}

AnswerRoom::Piece AnswerRoom::Taker::Charge(size_t bytes) {
  Hold(bytes);
  return Piece(*this, bytes);
}

void AnswerRoom::Taker::Await(Size size, Time until, std::function<void(bool)> then) {
  if (room_.is_closed_ || is_closed_) return then(false);
  PROBE("an answer waits for room");
  std::list<Waiter>& waiting = WaitingFor(size);
  const auto waiter = waiting.emplace(waiting.end(), size, std::move(then));
  if (until != kTimeNever) {
    waiter->deadline.emplace(room_.loop_.timers(), [this, waiter] { End(waiter, false); });
    waiter->deadline->Set(until);
  }
  if (waiting.size() == 1) room_.QueueFor(size).push_back(this);
  room_.ServeSoon();
}

void AnswerRoom::Taker::Close() {
  is_closed_ = true;
  for (auto& waiting : waiting_) {
    while (!waiting.empty()) End(waiting.begin(), false);
  }
}

void AnswerRoom::Taker::End(std::list<Waiter>::iterator waiter, bool has_room) {
  if (waiter->deadline.has_value()) waiter->deadline->Cancel();
  const std::function<void(bool)> then = std::exchange(waiter->then, nullptr);
  std::list<Waiter>& waiting = WaitingFor(waiter->size);
  room_.ended_.splice(room_.ended_.end(), waiting, waiter);
  if (waiting.empty()) std::erase(room_.QueueFor(waiter->size), this);
  room_.ServeSoon();
  then(has_room);
}

void AnswerRoom::Taker::Hold(size_t bytes) {
  if (held_ == 0) taken_at_ = room_.loop_.RoughlyNow();
  held_ += bytes;
  room_.held_ += bytes;
  if (SizeOf(bytes) == Size::kLarge) room_.NoteBuilt(bytes);
}

void AnswerRoom::Taker::Leave(size_t bytes) {
  CHECK_LE(bytes, held_);
  held_ -= bytes;
  room_.held_ -= bytes;
  taken_at_ = room_.loop_.RoughlyNow();
  for (const auto& queue : room_.queues_) {
    if (!queue.empty()) room_.ServeSoon();
  }
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
  for (auto& queue : queues_) {
    while (!queue.empty()) queue.front()->Close();
  }
}

bool AnswerRoom::Fits(Size size) const {
  return held_ < (size == Size::kSmall ? limits_.bytes_max : limits_.bytes_max / 4 * 3);
}

void AnswerRoom::ServeSoon() {
  if (!serve_timer_.is_set()) serve_timer_.Set(loop_.Now());
}

bool AnswerRoom::IsTurnOver(Size size) const {
  if (size == Size::kSmall || turn_ != loop_.turn() || built_ == 0) return false;
  return built_ >= limits_.turn_bytes || loop_.Now() - loop_.RoughlyNow() >= limits_.turn_time;
}

void AnswerRoom::NoteBuilt(size_t bytes) {
  if (turn_ != loop_.turn()) built_ = 0;
  turn_ = loop_.turn();
  built_ += bytes;
}

void AnswerRoom::Serve() {
  ended_.clear();
  const bool is_short_of_little = ServeQueue(Size::kSmall);
  const bool is_short_of_much = ServeQueue(Size::kLarge);
  if (!is_short_of_little && !is_short_of_much) return look_timer_.Cancel();
  if (!look_timer_.is_set()) look_timer_.Set(loop_.Now() + kLookEvery);
}

bool AnswerRoom::ServeQueue(Size size) {
  std::deque<Taker*>& queue = QueueFor(size);
  bool is_short = false;
  // Whoever is passed over has no room before the next call: what is let in only takes some.
  for (size_t i = 0; i < queue.size();) {
    if (IsTurnOver(size)) {
      serve_timer_.Set(loop_.Now() + Duration(1));  // Later than now: the loop goes round first.
      break;
    }
    Taker& taker = *queue[i];
    if (!taker.HasShare() || !taker.Fits(size)) {
      is_short = is_short || taker.HasShare();
      ++i;
      continue;
    }
    queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(i));
    queue.push_back(&taker);  // It is the turn of the others; `End` takes it out if nobody waits any more.
    taker.End(taker.WaitingFor(size).begin(), true);
  }
  return is_short;
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
