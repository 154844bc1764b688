#pragma once
// The newest records, with their values, of the keys that were read last.
//
// Records are kept as the store has them, for beside 256 bytes of value a decoded one takes as much again.
//
// Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"

#include "kv/key_record.h"

namespace decree::kv {

class RecordCache {
 public:
  // Holds as many records as take about `bytes` of memory, and forgets those first that were not used for
  // the longest time.
  explicit RecordCache(size_t bytes) : bytes_max_(bytes) {}

  // Nothing if it is not here; the store may have it.
  std::optional<KeyRecord> Find(std::string_view key);
  // A key's newest change, as EncodeKeyChange made it, which must be in the store.
  void Set(std::string change);
  // It has another one now, or none.
  void Forget(std::string_view key);

 private:
  struct Entry {
    std::string change;
    size_t key_at = 0;
    size_t key_size = 0;

    std::string_view key() const { return std::string_view(change).substr(key_at, key_size); }
  };
  using Entries = std::list<Entry>;
  using Position = Entries::iterator;

  // Seeded by the process, so that nobody can choose keys that collide.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const;
    size_t operator()(Position position) const { return operator()(position->key()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(Position a, Position b) const { return a == b; }
    bool operator()(Position position, std::string_view key) const { return position->key() == key; }
    bool operator()(std::string_view key, Position position) const { return operator()(position, key); }
  };

  static size_t BytesOf(const Entry& entry);
  void Remove(Position position);

  const size_t bytes_max_;
  size_t bytes_ = 0;
  Entries entries_;  // what was used last comes first
  absl::flat_hash_set<Position, Hash, Equal> positions_;
};

}  // namespace decree::kv
