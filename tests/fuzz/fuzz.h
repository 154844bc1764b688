#pragma once
// What a fuzz target is: a function that takes any bytes at all. It ends the process (CHECK, or a sanitizer) if they
// break something. README.md has the targets.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace decree::fuzz {

// Each target's own.
void Run(std::string_view bytes);

// Takes numbers and pieces from the front of the input; zeros and less where it ends.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::string_view rest() const { return bytes_; }
  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  uint64_t Number(int bytes) {
    uint64_t number = 0;
    for (int i = 0; i < bytes; ++i) number = number << 8 | Byte();
    return number;
  }
  std::string_view Piece(size_t size) {
    const std::string_view piece = bytes_.substr(0, size);
    bytes_.remove_prefix(piece.size());
    return piece;
  }
  // A piece as long as its first two bytes say.
  std::string_view NextPiece() { return Piece(Number(2)); }

 private:
  std::string_view bytes_;
};

}  // namespace decree::fuzz
