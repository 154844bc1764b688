#pragma once
// The LevelDB that the state machine lives in.
//
// What is durable at any time is the effect of all batches up to one of them (store_env.h); nobody
// waits for it. A store that cannot be read or written ends the process: an unreadable key must never
// look like a missing one, and a batch applied in part would make replicas differ.
//
// One thread writes; any thread may read, through a snapshot.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/iterator.h>
#include <leveldb/slice.h>
#include <leveldb/write_batch.h>

#include "kv/store_env.h"
#include "paxos/base/status.h"

namespace decree::kv {

inline leveldb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

struct StoreOptions {
  size_t write_buffer_bytes = 16 << 20;
  size_t block_cache_bytes = 4 << 20;
  int open_files_max = 500;
};

class Store {
 public:
  // A position in a snapshot's keys, which it must not outlive.
  class Cursor {
   public:
    // Moves to the first key that is not below `key`.
    void Seek(std::string_view key);
    void Next();
    // False when there is no further key. `key` and `value` last until the cursor moves.
    bool valid() const { return iterator_->Valid(); }
    std::string_view key() const;
    std::string_view value() const;

   private:
    friend class Store;
    explicit Cursor(std::unique_ptr<leveldb::Iterator> iterator) : iterator_(std::move(iterator)) {}
    std::unique_ptr<leveldb::Iterator> iterator_;
  };

  // A state of the store that does not change any more. Must not outlive the store.
  class Snapshot {
   public:
    explicit Snapshot(leveldb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    ~Snapshot() { db_.ReleaseSnapshot(snapshot_); }

    std::optional<std::string> Get(std::string_view key) const;
    // The same for what is hardly read again: leaves the block cache as it is.
    std::optional<std::string> GetUncached(std::string_view key) const;
    // Visits the keys in [first, end) in order, until `visit` returns false.
    void Scan(std::string_view first, std::string_view end,
              const std::function<bool(std::string_view key, std::string_view value)>& visit) const;
    // A cursor that is nowhere at first. It leaves the block cache as it is.
    Cursor NewCursor() const;

   private:
    leveldb::DB& db_;
    const leveldb::Snapshot* const snapshot_;
  };

  // Makes the directory if it is absent. `files` and `host`, which runs LevelDB's background work, outlive the
  // store. Errors name the path and what to do.
  static StatusOr<std::unique_ptr<Store>> Open(const std::string& path, paxos::FileSystem& files,
                                               const StoreOptions& options,
                                               leveldb::Env& host = *leveldb::Env::Default());

  // Reads the newest state.
  std::optional<std::string> Get(std::string_view key) const;
  std::unique_ptr<const Snapshot> TakeSnapshot() const { return std::make_unique<Snapshot>(*db_); }
  // All of the batch becomes visible at once. Not durable on return.
  void Write(leveldb::WriteBatch& batch);
  // About how many bytes the tables take on disk.
  uint64_t SizeBytes() const;

 private:
  Store(paxos::FileSystem& files, leveldb::Env& host, const StoreOptions& options);

  // LevelDB uses all of these until it is closed, so it is declared last.
  StoreEnv env_;
  const std::unique_ptr<leveldb::Logger> logger_;
  const std::unique_ptr<leveldb::Cache> cache_;
  const std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;
};

}  // namespace decree::kv
