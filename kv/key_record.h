#pragma once
// What the store keeps of a key at one revision: the value and its counters, or that it was deleted.
//
// A change has it all, and the key. The head of a key has the counters alone, so that what is written again and
// again while LevelDB merges its files is small, however large the values are.

#include <cstdint>
#include <string>
#include <string_view>

#include "kv/key_codec.h"
#include "paxos/base/status.h"

namespace decree::kv {

struct KeyCounters {
  uint64_t create_revision = 0;  // that made the key, after it was absent
  Revision modified;             // that made this record
  uint64_t version = 0;          // how many times it was set since it was made
  uint64_t lease = 0;            // that it is bound to; 0: none
  uint32_t value_bytes = 0;      // of its value: most values that differ are told apart without a look at them

  friend bool operator==(const KeyCounters&, const KeyCounters&) = default;
};

struct KeyRecord {
  KeyCounters counters;
  bool deleted = false;  // then only `modified` of the counters means anything
  // The key's change before this one; 0 if this one made the key. Changes of a key are a chain.
  Revision previous{};
  std::string value;

  friend bool operator==(const KeyRecord&, const KeyRecord&) = default;
};

// A record, and whose it is.
struct KeyChange {
  std::string_view key;  // a part of the bytes that were decoded
  KeyRecord record;
};

std::string EncodeKeyCounters(const KeyCounters& counters);
std::string EncodeKeyChange(std::string_view key, const KeyRecord& record);
// kDataLoss: these are not bytes that were encoded so.
StatusOr<KeyCounters> DecodeKeyCounters(std::string_view bytes);
StatusOr<KeyChange> DecodeKeyChange(std::string_view bytes);
// The same of what the store holds; what cannot be decoded, or is another key's, ends the process.
KeyCounters RequireKeyCounters(std::string_view bytes);
KeyRecord RequireChangeOf(std::string_view key, std::string_view bytes);
// The key of such a change, a part of its bytes.
std::string_view KeyOfChange(std::string_view bytes);

}  // namespace decree::kv
