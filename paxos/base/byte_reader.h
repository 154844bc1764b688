#pragma once
// Reads little-endian numbers and length-prefixed strings from bytes that came from
// outside, and their counterparts that write them.
//
// A read past the end, or a length that claims more than is there, gives zero or empty and makes
// `ok()` false for good; so a decoder reads all its fields and checks once. Nothing is allocated by
// what a length claims.

#include <cstdint>
#include <string>
#include <string_view>

namespace decree {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t U8();
  uint32_t U32();
  uint64_t U64();
  // A number written by PutVarint.
  uint64_t Varint();
  // `count` raw bytes, a view into the input.
  std::string_view Bytes(uint64_t count);
  // A string written by PutString.
  std::string_view String() { return Bytes(U32()); }

  bool ok() const { return ok_; }
  // All read, nothing left over.
  bool AtEnd() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void PutU8(std::string& out, uint8_t value);
void PutU32(std::string& out, uint32_t value);
void PutU64(std::string& out, uint64_t value);
// Seven bits a byte, the lowest first: 1 byte below 128, 10 at most.
void PutVarint(std::string& out, uint64_t value);
// A 32-bit length, then the bytes.
void PutString(std::string& out, std::string_view bytes);

}  // namespace decree
