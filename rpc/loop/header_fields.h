#pragma once
// Counts the fields of a block of headers without decoding them (HPACK, RFC 7541, sections 5 and 6).

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace decree::rpc {

// Of one block. Where its bytes make no sense gRPC ends the connection, and the count means nothing. Not thread-safe.
class HeaderFields {
 public:
  // These bytes of the block have come next.
  void Follow(std::string_view bytes);
  size_t count() const { return count_; }

 private:
  enum class Next : uint8_t { kField, kRestOfIndex, kLength, kRestOfLength, kString };

  void OnByte(uint8_t byte);
  void OnField(uint8_t byte);
  // After one string or the index: the next string, or field.
  void Advance() { next_ = strings_ == 0 ? Next::kField : Next::kLength; }
  void BeginString();
  void EndString();

  size_t count_ = 0;
  uint64_t length_ = 0;  // bytes, of the string, that have not come
  uint8_t shift_ = 0;    // where the next byte of a length belongs in it
  uint8_t strings_ = 0;  // of the field, that have not come
  Next next_ = Next::kField;
};

}  // namespace decree::rpc
