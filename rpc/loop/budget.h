#pragma once
// Bounds what messages of one kind hold of a node's memory, over all calls and streams (rule 12): answers that have not
// left the node, or requests that are being read.
//
// An answer is built only while there is room. It holds a piece of the room, and gives that back when gRPC says that
// the answer has gone to the network. While there is no room, requests wait, which are small. A large request is read
// only while there is room, and otherwise waits at its sender. Holders are served in turn, each up to a share, so that
// one that does not read, or does not write on, keeps only itself waiting. If room is short all the same, a holder that
// has given nothing back for `patience` is cancelled. However much room there is, large answers are built a few at a
// time, and the loop goes round in between.
//
// For the loop's thread.

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
    // All of the room, in bytes. One message may exceed it, and so may those that do not wait.
    size_t bytes_max = 48 << 20;
    // How much of it a single holder may hold.
    size_t share = 8 << 20;
    // How many bytes of small messages each holder may hold whatever the others hold, so that a client that reads is
    // served at once.
    size_t least = 16 << 10;
    // After large answers of so many bytes, or of so long a time, others wait for the next turn of the loop.
    size_t turn_bytes = 2 << 20;
    Duration turn_time = Milliseconds(5);
    Duration patience = Seconds(10);
    // What a holder that gives nothing back has done, for the log.
    const char* fault = "taken none of its answers";
  };
  // Large messages leave some room to small ones, which do not wait behind them: most of what coordination needs is
  // small.
  enum class Size { kSmall, kLarge };
  static Size SizeOf(size_t bytes) { return bytes <= 16 << 10 ? Size::kSmall : Size::kLarge; }

  class Holder;

  // The room that one or several messages hold. It is given back with this object, which must not outlive its holder.
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

    // Whether it holds anything.
    explicit operator bool() const { return holder_ != nullptr; }
    size_t bytes() const { return bytes_; }
    // Tells that the message has turned out to be of this size.
    void Resize(size_t bytes);
    // Tells that the holder can do nothing to give it back sooner.
    void Excuse();
    // Takes over what another piece of the same holder holds.
    void Join(Piece other);

   private:
    friend class Holder;
    Piece(Holder& holder, size_t bytes) : holder_(&holder), bytes_(bytes) {}

    Holder* holder_ = nullptr;
    size_t bytes_ = 0;
    bool is_excused_ = false;
  };

  // A party that takes answers or sends requests: a stream, or a connection with its unary calls.
  class Holder {
   public:
    // `cancel` makes gRPC give up all that it holds for this party, and says who that is, for the log.
    Holder(Budget& budget, std::function<std::string()> cancel);
    // Nothing may be held, or wait, any more.
    ~Holder();
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

    // Whether an answer may be built now, or a request read.
    bool HasRoom(Size size) const {
      return WaitingFor(size).empty() && HasShare() && Fits(size) && !budget_.IsTurnOver(size);
    }
    // Calls `then` once: with room, later, when there is some, which is to be used there and then; or without room, at
    // `until`, or at once if the holder is closed.
    void Await(Size size, Time until, std::function<void(bool has_room)> then);
    // The same, but at once if there is room; `size` is asked only if room is short.
    template <typename SizeOf, typename Then>
    void WhenRoom(Time until, const SizeOf& size, Then then) {
      if (HasRoom(Size::kLarge)) return then(true);
      const Size wanted = size();
      if (HasRoom(wanted)) return then(true);
      Await(wanted, until, std::move(then));
    }
    // Takes room for so many bytes, which are there or may come.
    Piece Charge(size_t bytes);
    // Closes the holder: those that wait go without room, now and later.
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
    size_t excused_ = 0;                        // bytes of these that it can do nothing about
    Time gave_back_at_;                         // or held nothing
    std::array<std::list<Waiter>, 2> waiting_;  // by size
    bool is_closed_ = false;
    const std::list<Holder*>::iterator position_;  // among all holders
  };

  Budget(EventLoop& loop, const Limits& limits);
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Ends: those that wait go without room, now and later.
  void Close();
  size_t held() const { return held_; }

 private:
  bool Fits(Size size) const;
  // Whether no more large answers may be built before the loop has gone round.
  bool IsTurnOver(Size size) const;
  void NoteBuilt(size_t bytes);
  std::deque<Holder*>& QueueFor(Size size) { return queues_[static_cast<size_t>(size)]; }
  // Serves those that wait, as far as there is room.
  void Serve();
  // Serves those that wait with messages of this size. True if there was no room for some.
  bool ServeQueue(Size size);
  void ServeSoon();
  // Cancels the holders that have given nothing back for too long.
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
