#pragma once
// Bounds what clients' requests may hold of this node at once, in number and bytes (rule 12).

#include <cstddef>
#include <cstdint>

namespace decree::rpc {

// What is told to whom is refused for a lack of room.
inline constexpr uint32_t kOverloadRetryMs = 50;

class Admission {
 public:
  struct Limits {
    size_t requests_max = 10'000;
    size_t bytes_max = 128 << 20;
  };

  explicit Admission(const Limits& limits) : limits_(limits) {}

  // False if there is no room. One request always finds room, whatever it weighs.
  bool Enter(size_t bytes) {
    const bool is_full = requests_ >= limits_.requests_max || bytes_ + bytes > limits_.bytes_max;
    if (is_full && requests_ > 0) return false;
    ++requests_;
    bytes_ += bytes;
    return true;
  }
  void Leave(size_t bytes) {
    --requests_;
    bytes_ -= bytes;
  }

  size_t requests() const { return requests_; }
  size_t bytes() const { return bytes_; }

 private:
  const Limits limits_;
  size_t requests_ = 0;
  size_t bytes_ = 0;
};

}  // namespace decree::rpc
