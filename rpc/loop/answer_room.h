#pragma once
// Bounds what answers hold of a node's memory until they have left it, over all calls and streams (rule 12).
//
// An answer is built only while there is room, holds a piece of it, and gives that back when gRPC says that it has gone to
// the network. While there is none, requests wait, which are small. Takers are served in turn, each up to a share, so that
// one who does not read keeps itself waiting and not the others. When the room is short all the same, whoever has taken
// nothing for `patience` is cancelled. However much room there is, large answers are built a few at a time, and the loop
// goes round in between.
//
// In the loop's thread.

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "paxos/base/time.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class AnswerRoom {
 public:
  struct Limits {
    // May be exceeded by one answer, and by those that do not wait.
    size_t bytes_max = 48 << 20;
    // Of these, what a single taker may hold.
    size_t share = 8 << 20;
    // What each may hold of small answers whatever the others hold: a client who reads is served at once.
    size_t least = 16 << 10;
    // When large answers of so many bytes were built in a turn of the loop, or building them took so long, others wait
    // for the next.
    size_t turn_bytes = 2 << 20;
    Duration turn_time = Milliseconds(5);
    Duration patience = Seconds(10);
  };
  // Small answers find some room that large ones leave, and do not wait behind them: most of what coordination needs is
  // small.
  enum class Size { kSmall, kLarge };
  static Size SizeOf(size_t bytes) { return bytes <= 16 << 10 ? Size::kSmall : Size::kLarge; }

  class Taker;

  // What an answer, or several together, hold; given back when it goes. Must not outlive its taker.
  class Piece {
   public:
    Piece() = default;
    Piece(Piece&& other) noexcept
        : taker_(std::exchange(other.taker_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Piece& operator=(Piece&& other) noexcept {
      std::swap(taker_, other.taker_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Piece() { Resize(0); }

    // Whether it is one.
    explicit operator bool() const { return taker_ != nullptr; }
    size_t bytes() const { return bytes_; }
    // The answer has turned out to be of this size.
    void Resize(size_t bytes);
    // Takes over what the other holds, of the same taker.
    void Join(Piece other);

   private:
    friend class Taker;
    Piece(Taker& taker, size_t bytes) : taker_(&taker), bytes_(bytes) {}

    Taker* taker_ = nullptr;
    size_t bytes_ = 0;
  };

  // One who takes answers: a stream, or a connection with calls of their own.
  class Taker {
   public:
    // `cancel` makes gRPC give up all that it is to be sent, and says who it is, for the log.
    Taker(AnswerRoom& room, std::function<std::string()> cancel);
    // Nothing is held, or waits, any more.
    ~Taker();
    Taker(const Taker&) = delete;
    Taker& operator=(const Taker&) = delete;

    // Whether an answer may be built now.
    bool HasRoom(Size size) const {
      return WaitingFor(size).empty() && HasShare() && Fits(size) && !room_.IsTurnOver(size);
    }
    // `then` is called once: later, when an answer may be built, which is to be done then; or without room, when it is
    // `until`, or at once if the taker is closed.
    void Await(Size size, Time until, std::function<void(bool has_room)> then);
    // The same, but at once if that may be; `size` is only asked for if the room is short.
    template <typename SizeOf, typename Then>
    void WhenRoom(Time until, const SizeOf& size, Then then) {
      if (HasRoom(Size::kLarge)) return then(true);
      const Size wanted = size();
      if (HasRoom(wanted)) return then(true);
      Await(wanted, until, std::move(then));
    }
    // For an answer of so many bytes that is there.
    Piece Charge(size_t bytes);
    // It takes nothing any more: who waits goes without, now and later.
    void Close();

    size_t held() const { return held_; }

   private:
    friend class AnswerRoom;
    friend class Piece;
    struct Waiter {
      Waiter(Size answer, std::function<void(bool)> action) : size(answer), then(std::move(action)) {}
      const Size size;
      std::function<void(bool)> then;
      std::optional<Timer> deadline;
    };

    bool HasShare() const { return held_ < room_.limits_.share; }
    bool Fits(Size size) const {
      return room_.Fits(size) || (size == Size::kSmall && held_ < room_.limits_.least);
    }
    std::list<Waiter>& WaitingFor(Size size) { return waiting_[static_cast<size_t>(size)]; }
    const std::list<Waiter>& WaitingFor(Size size) const { return waiting_[static_cast<size_t>(size)]; }
    void Hold(size_t bytes);
    void Leave(size_t bytes);
    void End(std::list<Waiter>::iterator waiter, bool has_room);

    AnswerRoom& room_;
    const std::function<std::string()> cancel_;
    size_t held_ = 0;
    Time taken_at_;  // it took something, or had nothing to take
    std::array<std::list<Waiter>, 2> waiting_;  // by size
    bool is_closed_ = false;
    const std::list<Taker*>::iterator position_;  // among all takers
  };

  AnswerRoom(EventLoop& loop, const Limits& limits);
  ~AnswerRoom();
  AnswerRoom(const AnswerRoom&) = delete;
  AnswerRoom& operator=(const AnswerRoom&) = delete;

  // Who waits goes without, now and later.
  void Close();
  size_t held() const { return held_; }

 private:
  bool Fits(Size size) const;
  // Whether no more is to be built before the loop has gone round.
  bool IsTurnOver(Size size) const;
  void NoteBuilt(size_t bytes);
  std::deque<Taker*>& QueueFor(Size size) { return queues_[static_cast<size_t>(size)]; }
  // Lets in who waits, as far as there is room.
  void Serve();
  // Those who wait for answers of this size. True if there was no room for some.
  bool ServeQueue(Size size);
  void ServeSoon();
  // Cancels who has taken nothing for too long.
  void CancelTheIdle();

  EventLoop& loop_;
  const Limits limits_;
  size_t held_ = 0;
  uint64_t turn_ = 0;  // of the loop
  size_t built_ = 0;   // bytes of large answers, in that turn
  bool is_closed_ = false;
  std::list<Taker*> takers_;
  std::array<std::deque<Taker*>, 2> queues_;  // of those that wait, by size, and by whose turn it is
  std::list<Taker::Waiter> ended_;            // a timer must outlive what it does
  Timer serve_timer_;
  Timer look_timer_;
};

}  // namespace decree::rpc
