#pragma once
// The newest records of the keys that were used last, so that most puts and reads of the present need no
// look into LevelDB. Beside the time that takes, LevelDB merges files in which keys were looked up in vain:
// under a lasting load of puts that was a quarter of all that a node did.
//
// Not thread-safe; what was found stays valid for as long as it is held.

#include <cstddef>
#include <memory>
#include <string_view>

#include <leveldb/cache.h>

#include "kv/key_record.h"
#include "kv/store.h"

namespace decree::kv {

using Head = std::shared_ptr<const KeyRecord>;  // null: there is no such key

// The key's newest record as it stands in the store.
Head ReadHead(const Store& store, std::string_view key);

class HeadCache {
 public:
  // Holds as many heads as take about `bytes` of memory, and forgets those first that were not used for
  // the longest time.
  explicit HeadCache(size_t bytes);

  // Null if it is not here; the store may have it.
  Head Find(std::string_view key) const;
  // The key's newest record, which must be in the store. Null: it has none any more.
  void Set(std::string_view key, Head head);

 private:
  const std::unique_ptr<leveldb::Cache> cache_;
};

}  // namespace decree::kv
