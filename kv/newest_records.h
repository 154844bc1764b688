#pragma once
// What the keys hold as of the last batch that was written: from memory if it is there, else from the store.
//
// Not thread-safe.

#include <cstddef>
#include <optional>
#include <string_view>

#include "kv/key_index.h"
#include "kv/key_record.h"
#include "kv/record_cache.h"
#include "kv/store.h"

namespace decree::kv {

struct MemoryOptions {
  size_t key_index_bytes = 48 << 20;
  size_t record_cache_bytes = 40 << 20;
};

class NewestRecords {
 public:
  // `store` outlives the result.
  NewestRecords(const Store& store, const MemoryOptions& options);

  // Nothing if there is no such key.
  std::optional<KeyCounters> CountersOf(std::string_view key);
  // The record that has these counters, which are those of the key.
  KeyRecord RecordWith(std::string_view key, const KeyCounters& counters);
  // Nothing if there is no such key.
  std::optional<KeyRecord> RecordOf(std::string_view key);
  // The store has a record with these counters now; nothing: it has none any more. The value is not kept until
  // somebody reads it: most are written more often than they are read at this node, and here they are still at
  // hand in LevelDB's memory.
  void Set(std::string_view key, const std::optional<KeyCounters>& counters);

 private:
  const Store& store_;
  KeyIndex index_;
  RecordCache cache_;
};

}  // namespace decree::kv
