#pragma once
// Keys and their counters in memory: what a put has to know of a key without a look into LevelDB. Beside the
// time that takes, LevelDB merges files in which keys were looked up in vain, over and over.
//
// As long as all keys of the store have room, one that is not here does not exist. When they have not, those
// go that were not used for the longest time, and what is not here has to be looked up.
//
// Entries stand one after the other in chunks of one arena; a hash table has their offsets. When no chunk is
// free the oldest is taken up again: what is still needed of it stays, the rest goes.
//
// Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"

#include "kv/key_record.h"
#include "kv/store.h"

namespace decree::kv {

class KeyIndex {
 public:
  // Takes entries of about `bytes` in all; an entry is a key and 20 bytes. The hash table takes some 5 to 10 bytes an
  // entry more.
  explicit KeyIndex(size_t bytes);
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  // Takes in as many of the store's keys as have room. Call it once, before anything else.
  void Load(const Store& store);

  struct Finding {
    bool is_known = false;                  // false: look it up
    std::optional<KeyCounters> counters{};  // nothing: there is no such key
  };
  Finding Find(std::string_view key);
  // Sets what the store holds of the key from now on; nothing if there is no such key any more.
  void Set(std::string_view key, const std::optional<KeyCounters>& counters);

  // Whether a key that is not here does not exist.
  bool is_whole() const { return is_whole_; }
  size_t size() const { return offsets_.size(); }

 private:
  using Offset = uint32_t;  // of an entry in the arena

  struct Hash {
    using is_transparent = void;
    const char* arena;
    size_t operator()(std::string_view key) const;
    size_t operator()(Offset offset) const;
  };
  struct Equal {
    using is_transparent = void;
    const char* arena;
    bool operator()(Offset a, Offset b) const { return a == b; }
    bool operator()(Offset offset, std::string_view key) const;
    bool operator()(std::string_view key, Offset offset) const { return operator()(offset, key); }
  };

  // A part of the arena, filled from its beginning.
  struct Chunk {
    uint32_t used = 0;  // bytes
    uint32_t dead = 0;  // of them, bytes of entries that are no more
  };

  Offset Begin(size_t chunk) const { return static_cast<Offset>(chunk * chunk_bytes_); }
  char* At(Offset offset) { return arena_.get() + offset; }
  void Add(std::string_view key, const KeyCounters& counters);
  void Remove(Offset offset);
  bool HasRoom(size_t bytes) const;
  // Makes room in the current chunk, or in the next one.
  void MakeRoom(size_t bytes);
  void TakeUpOldest();

  const size_t chunk_bytes_;
  std::vector<Chunk> chunks_;
  const std::unique_ptr<char[]> arena_;
  absl::flat_hash_set<Offset, Hash, Equal> offsets_;
  size_t current_ = 0;  // the chunk that is being filled; the one behind it is the oldest
  bool is_whole_ = true;
};

}  // namespace decree::kv
