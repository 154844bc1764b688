#include "rpc/loop/header_fields.h"

#include <algorithm>

namespace decree::rpc {
namespace {

constexpr uint8_t kGoesOn = 0x80;  // in each byte of a number but the last
constexpr uint8_t kLengthMask = 0x7f;
// gRPC takes no number that is longer.
constexpr uint8_t kShiftMax = 28;

}  // namespace

void HeaderFields::Follow(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t followed = 1;
    if (next_ == Next::kString) {
      followed = std::min<uint64_t>(length_, bytes.size());
      length_ -= followed;
      if (length_ == 0) EndString();
    } else {
      OnByte(static_cast<uint8_t>(bytes.front()));
    }
    bytes.remove_prefix(followed);
  }
}

void HeaderFields::OnByte(uint8_t byte) {
  switch (next_) {
    case Next::kField:
      return OnField(byte);
    case Next::kRestOfIndex:
      if ((byte & kGoesOn) == 0) Advance();
      return;
    case Next::kLength:
      length_ = byte & kLengthMask;
      shift_ = 0;
      if (length_ == kLengthMask) {
        next_ = Next::kRestOfLength;
      } else {
        BeginString();
      }
      return;
    case Next::kRestOfLength:
      length_ += static_cast<uint64_t>(byte & kLengthMask) << shift_;
      shift_ = std::min<uint8_t>(shift_ + 7, kShiftMax);
      if ((byte & kGoesOn) == 0) BeginString();
      return;
    case Next::kString:
      return;
  }
}

void HeaderFields::OnField(uint8_t byte) {
  const bool is_indexed = (byte & 0x80) != 0;
  const bool is_kept = (byte & 0xc0) == 0x40;
  const bool is_resize = (byte & 0xe0) == 0x20;
  const uint8_t mask = is_indexed ? 0x7f : is_kept ? 0x3f : is_resize ? 0x1f : 0x0f;
  const uint8_t index = byte & mask;
  if (!is_resize) ++count_;
  if (is_indexed || is_resize) {
    strings_ = 0;
  } else {
    strings_ = index == 0 ? 2 : 1;  // a name that has no number, and the value
  }
  if (index == mask) {
    next_ = Next::kRestOfIndex;
  } else {
    Advance();
  }
}

void HeaderFields::BeginString() {
  next_ = Next::kString;
  if (length_ == 0) EndString();
}

void HeaderFields::EndString() {
  --strings_;
  Advance();
}

}  // namespace decree::rpc
