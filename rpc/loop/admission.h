#pragma once
// Bounds what clients' requests may hold of this node at once, in number and bytes (rule 12).

#include <cstddef>
#include <utility>

namespace decree::rpc {

class Admission {
 public:
  struct Limits {
    size_t requests_max = 10'000;
    size_t bytes_max = 128 << 20;
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

  explicit Admission(const Limits& limits) : limits_(limits) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // No place if there is no room. One request always finds room, whatever it weighs. Outlives the place.
  Place Enter(size_t bytes) {
    const bool is_full = requests_ >= limits_.requests_max || bytes_ + bytes > limits_.bytes_max;
    if (is_full && requests_ > 0) return {};
    ++requests_;
    bytes_ += bytes;
    return Place(*this, bytes);
  }

  size_t requests() const { return requests_; }
  size_t bytes() const { return bytes_; }

 private:
  void Leave(size_t bytes) {
    --requests_;
    bytes_ -= bytes;
  }

  const Limits limits_;
  size_t requests_ = 0;
  size_t bytes_ = 0;
};

}  // namespace decree::rpc
