#pragma once
// The newest records, with their values, of the keys that were read last.
//
// Not thread-safe; what was found stays valid for as long as it is held.

#include <cstddef>
#include <memory>
#include <string_view>

#include <leveldb/cache.h>

#include "kv/key_record.h"

namespace decree::kv {

using SharedRecord = std::shared_ptr<const KeyRecord>;  // null: there is no such key

class RecordCache {
 public:
  // Holds as many records as take about `bytes` of memory, and forgets those first that were not used for
  // the longest time.
  explicit RecordCache(size_t bytes);

  // Null if it is not here; the store may have it.
  SharedRecord Find(std::string_view key) const;
  // The key's newest record, which must be in the store.
  void Set(std::string_view key, SharedRecord record);
  // It has another one now, or none.
  void Forget(std::string_view key);

 private:
  const std::unique_ptr<leveldb::Cache> cache_;
};

}  // namespace decree::kv
