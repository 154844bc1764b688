#pragma once
// What the store keeps of a key at one revision: the value and its counters, or that it was deleted.

#include <cstdint>
#include <string>
#include <string_view>

#include "kv/key_codec.h"
#include "paxos/base/status.h"

namespace decree::kv {

struct KeyRecord {
  bool deleted = false;           // then only `modified` means anything
  uint64_t create_revision = 0;   // that made the key, after it was absent
  Revision modified;              // that made this record
  uint64_t version = 0;           // how many times it was set since it was made
  uint64_t lease = 0;             // that it is bound to; 0: none
  std::string value;

  friend bool operator==(const KeyRecord&, const KeyRecord&) = default;
};

std::string EncodeKeyRecord(const KeyRecord& record);
// kDataLoss: these are not bytes that EncodeKeyRecord made.
StatusOr<KeyRecord> DecodeKeyRecord(std::string_view bytes);
// The same of what the store holds; what cannot be decoded ends the process.
KeyRecord RequireKeyRecord(std::string_view bytes);

}  // namespace decree::kv
