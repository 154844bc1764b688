#pragma once
// Bounds what clients' requests may hold of this node at once, in number and bytes (rule 12). A request that
// finds no place may wait in line. The line itself has no bound, so whoever joins it must have one of its own.
//
// For the loop's thread.

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class Admission {
 public:
  struct Limits {
    size_t requests_max = 10'000;
    size_t bytes_max = 48 << 20;
  };

  // A request's place among those that were let in. Its call holds it, and leaves it when it is gone.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)), bytes_(other.bytes_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Place() {
      if (admission_ != nullptr) admission_->Leave(bytes_);
    }

    // False if the request was refused.
    explicit operator bool() const { return admission_ != nullptr; }

   private:
    friend class Admission;
    Place(Admission& admission, size_t bytes) : admission_(&admission), bytes_(bytes) {}

    Admission* admission_ = nullptr;
    size_t bytes_ = 0;
  };

  // How many bytes a request holds that has so many on the wire.
  static constexpr size_t BytesOf(size_t wire_bytes) { return 2048 + wire_bytes; }

  Admission(EventLoop& loop, const Limits& limits)
      : limits_(limits), loop_(loop), serve_timer_(loop.timers(), [this] { ServeLine(); }) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Gives a place, or none if there is no room. A request that is alone always finds room, whatever its size. This
  // outlives the place.
  Place Enter(size_t bytes) {
    if (!HasRoom(bytes)) return {};
    ++requests_;
    bytes_ += bytes;
    return Place(*this, bytes);
  }
  bool HasRoom(size_t bytes) const {
    return requests_ == 0 || (requests_ < limits_.requests_max && bytes_ + bytes <= limits_.bytes_max);
  }
  // Whether there are as many requests as may be, so that even the smallest finds no place.
  bool HasAllRequests() const { return requests_ >= limits_.requests_max; }
  // Calls `then` once, in a later turn, when there may be room. If it finds none it may wait again, as the last in
  // line; it need not enter.
  void Await(std::function<void()> then) { line_.push_back(std::move(then)); }

  const Limits& limits() const { return limits_; }
  size_t requests() const { return requests_; }
  size_t bytes() const { return bytes_; }
  size_t waiting() const { return line_.size(); }

 private:
  // Gives each of those that wait one turn, as long as there is room.
  void ServeLine() {
    for (size_t count = line_.size(); count > 0 && HasRoom(0); --count) {
      const std::function<void()> then = std::move(line_.front());
      line_.pop_front();
      then();
    }
  }
  void Leave(size_t bytes) {
    --requests_;
    bytes_ -= bytes;
    if (!line_.empty() && !serve_timer_.is_set()) serve_timer_.Set(loop_.Now());
  }

  const Limits limits_;
  EventLoop& loop_;
  size_t requests_ = 0;
  size_t bytes_ = 0;
  std::deque<std::function<void()>> line_;
  Timer serve_timer_;
};

}  // namespace decree::rpc
