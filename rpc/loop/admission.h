#pragma once
// Bounds what clients' requests may hold of this node at once, in number and bytes (rule 12).

#include <cstddef>
#include <functional>
#include <utility>

namespace decree::rpc {

class Admission {
 public:
  struct Limits {
    size_t requests_max = 10'000;
    size_t bytes_max = 48 << 20;
  };

  // A request's place among those that were let in: held by its call, and left when that is gone.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)), bytes_(other.bytes_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Place() {
      if (admission_ != nullptr) admission_->Leave(bytes_);
    }

    // False if it was refused.
    explicit operator bool() const { return admission_ != nullptr; }

   private:
    friend class Admission;
    Place(Admission& admission, size_t bytes) : admission_(&admission), bytes_(bytes) {}

    Admission* admission_ = nullptr;
    size_t bytes_ = 0;
  };

  // What a request holds that has so many bytes on the wire.
  static constexpr size_t BytesOf(size_t wire_bytes) { return 2048 + wire_bytes; }

  explicit Admission(const Limits& limits) : limits_(limits) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // No place if there is no room. One request always finds room, whatever it weighs. Outlives the place.
  Place Enter(size_t bytes) {
    if (!HasRoom(bytes)) return {};
    ++requests_;
    bytes_ += bytes;
    return Place(*this, bytes);
  }
  bool HasRoom(size_t bytes) const {
    return requests_ == 0 || (requests_ < limits_.requests_max && bytes_ + bytes <= limits_.bytes_max);
  }
  // `then` is called when the next place is left, once, and must not enter at once: it replaces what was to be called.
  void OnNextLeft(std::function<void()> then) { then_ = std::move(then); }

  const Limits& limits() const { return limits_; }
  size_t requests() const { return requests_; }
  size_t bytes() const { return bytes_; }

 private:
  void Leave(size_t bytes) {
    --requests_;
    bytes_ -= bytes;
    if (then_ != nullptr) std::exchange(then_, nullptr)();
  }

  const Limits limits_;
  size_t requests_ = 0;
  size_t bytes_ = 0;
  std::function<void()> then_;
};

}  // namespace decree::rpc
