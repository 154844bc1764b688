#pragma once
// Bounds what messages of one kind hold of a node's memory, over all calls and streams (rule 12): answers that have not
// left the node, or requests that are being read.
//
// An answer is built only while there is room, holds a piece of it, and gives that back when gRPC says that it has gone
// to the network. While there is none, requests wait, which are small. A large request is read only while there is
// room, and waits at its sender. Holders are served in turn, each up to a share, so that one who does not read, or
// write on, keeps itself waiting and not the others. When the room is short all the same, whoever has given nothing
// back for `patience` is cancelled. However much room there is, large answers are built a few at a time, and the loop
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

class Budget {
 public:
  struct Limits {
    // May be exceeded by one message, and by those that do not wait.
    size_t bytes_max = 48 << 20;
    // Of these, what a single holder may hold.
    size_t share = 8 << 20;
    // What each may hold of small messages whatever the others hold: a client who reads is served at once.
    size_t least = 16 << 10;
    // When large answers of so many bytes were built in a turn of the loop, or building them took so long, others wait
    // for the next.
    size_t turn_bytes = 2 << 20;
    Duration turn_time = Milliseconds(5);
    Duration patience = Seconds(10);
    // What whoever gives nothing back has done, for the log.
    const char* fault = "taken none of its answers";
  };
  // Small messages find some room that large ones leave, and do not wait behind them: most of what coordination needs
  // is small.
  enum class Size { kSmall, kLarge };
  static Size SizeOf(size_t bytes) { return bytes <= 16 << 10 ? Size::kSmall : Size::kLarge; }

  class Holder;

  // What a message, or several together, hold; given back when it goes. Must not outlive its holder.
  class Piece {
   public:
    Piece() = default;
    Piece(Piece&& other) noexcept
        : holder_(std::exchange(other.holder_, nullptr)),
          bytes_(std::exchange(other.bytes_, 0)),
          is_excused_(std::exchange(other.is_excused_, false)) {}
    Piece& operator=(Piece&& other) noexcept {
      std::swap(holder_, other.holder_);
      std::swap(bytes_, other.bytes_);
      std::swap(is_excused_, other.is_excused_);
      return *this;
    }
    ~Piece() { Resize(0); }

    // Whether it is one.
    explicit operator bool() const { return holder_ != nullptr; }
    size_t bytes() const { return bytes_; }
    // The message has turned out to be of this size.
    void Resize(size_t bytes);
    // From now on the holder can do nothing to give it back sooner.
    void Excuse();
    // Takes over what the other holds, of the same holder.
    void Join(Piece other);

   private:
    friend class Holder;
    Piece(Holder& holder, size_t bytes) : holder_(&holder), bytes_(bytes) {}

    Holder* holder_ = nullptr;
    size_t bytes_ = 0;
    bool is_excused_ = false;
  };

  // One who takes answers, or sends requests: a stream, or a connection with calls of their own.
  class Holder {
   public:
    // `cancel` makes gRPC give up all that it holds, and says who it is, for the log.
    Holder(Budget& budget, std::function<std::string()> cancel);
    // Nothing is held, or waits, any more.
    ~Holder();
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

    // Whether an answer may be built now, or a request read.
    bool HasRoom(Size size) const {
      return WaitingFor(size).empty() && HasShare() && Fits(size) && !budget_.IsTurnOver(size);
    }
    // `then` is called once: later, when that may be done, which is to be done then; or without room, when it is
    // `until`, or at once if the holder is closed.
    void Await(Size size, Time until, std::function<void(bool has_room)> then);
    // The same, but at once if that may be; `size` is only asked for if the room is short.
    template <typename SizeOf, typename Then>
    void WhenRoom(Time until, const SizeOf& size, Then then) {
      if (HasRoom(Size::kLarge)) return then(true);
      const Size wanted = size();
      if (HasRoom(wanted)) return then(true);
      Await(wanted, until, std::move(then));
    }
    // For so many bytes that are there, or may be.
    Piece Charge(size_t bytes);
    // It takes nothing any more: who waits goes without, now and later.
    void Close();

    size_t held() const { return held_; }
    size_t waiting() const { return waiting_[0].size() + waiting_[1].size(); }

   private:
    friend class Budget;
    friend class Piece;
    struct Waiter {
      Waiter(Size message, std::function<void(bool)> action) : size(message), then(std::move(action)) {}
      const Size size;
      std::function<void(bool)> then;
      std::optional<Timer> deadline;
    };

    bool HasShare() const { return held_ < budget_.limits_.share; }
    bool Fits(Size size) const { return budget_.Fits(size) || (size == Size::kSmall && held_ < budget_.limits_.least); }
    std::list<Waiter>& WaitingFor(Size size) { return waiting_[static_cast<size_t>(size)]; }
    const std::list<Waiter>& WaitingFor(Size size) const { return waiting_[static_cast<size_t>(size)]; }
    void Hold(size_t bytes);
    void Leave(size_t bytes);
    void End(std::list<Waiter>::iterator waiter, bool has_room);

    Budget& budget_;
    const std::function<std::string()> cancel_;
    size_t held_ = 0;
    size_t excused_ = 0;                        // of these
    Time gave_back_at_;                         // or held nothing
    std::array<std::list<Waiter>, 2> waiting_;  // by size
    bool is_closed_ = false;
    const std::list<Holder*>::iterator position_;  // among all holders
  };

  Budget(EventLoop& loop, const Limits& limits);
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Who waits goes without, now and later.
  void Close();
  size_t held() const { return held_; }

 private:
  bool Fits(Size size) const;
  // Whether no more is to be built before the loop has gone round.
  bool IsTurnOver(Size size) const;
  void NoteBuilt(size_t bytes);
  std::deque<Holder*>& QueueFor(Size size) { return queues_[static_cast<size_t>(size)]; }
  // Lets in who waits, as far as there is room.
  void Serve();
  // Those who wait with messages of this size. True if there was no room for some.
  bool ServeQueue(Size size);
  void ServeSoon();
  // Cancels who has given nothing back for too long.
  void CancelTheIdle();

  EventLoop& loop_;
  const Limits limits_;
  size_t held_ = 0;
  uint64_t turn_ = 0;  // of the loop
  size_t built_ = 0;   // bytes of large answers, in that turn
  bool is_closed_ = false;
  std::list<Holder*> holders_;
  std::array<std::deque<Holder*>, 2> queues_;  // of those that wait, by size, and by whose turn it is
  std::list<Holder::Waiter> ended_;            // a timer must outlive what it does
  Timer serve_timer_;
  Timer look_timer_;
};

}  // namespace decree::rpc
