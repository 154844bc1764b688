#pragma once
// The store as it will be once the batch that is being made has been written: a command sees what the
// commands before it in the same batch have done.
//
// Everything that is written is folded into the running digest, so replicas with equal digests have
// done the same.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <leveldb/write_batch.h>

#include "absl/container/node_hash_map.h"

#include "kv/key_record.h"
#include "kv/newest_records.h"
#include "kv/store.h"

namespace decree::kv {

class Overlay {
 public:
  // `digest` is that of all that was written before. `store` and `newest` outlive the overlay.
  Overlay(Store& store, NewestRecords& newest, uint64_t digest) : store_(store), newest_(newest), digest_(digest) {}

  // The counters of the key's newest record; nothing if there is no such key. They last until the key is changed.
  const std::optional<KeyCounters>& CountersOf(const std::string& key);
  // What the key holds now, with its value; nothing if there is no such key. It lasts until the key is
  // changed.
  const std::optional<KeyRecord>& RecordOf(const std::string& key);
  // The key's newest change, which is linked to the one before; one that is `deleted` leaves no such key.
  void Change(const std::string& key, KeyRecord record);

  // ---- Sessions (sessions.h) ----

  // A block of answers (answer_block.h) that begins with this number, kept until it is removed.
  void PutAnswers(uint64_t session, uint64_t first_number, const std::string& block);
  // The block must be there.
  std::string Answers(uint64_t session, uint64_t first_number) const;
  void RemoveAnswers(uint64_t session, uint64_t first_number);
  // Not part of the digest: how often it is written differs between replicas.
  void PutSession(uint64_t session, const std::string& bytes);
  void RemoveSession(uint64_t session);

  // ----

  // Folds bytes that are not written into the digest: a result.
  void Digest(std::string_view bytes);
  uint64_t digest() const { return digest_; }

  // Not part of the digest: which slots were applied at once differs between replicas.
  void PutMeta(Meta which, const std::string& bytes);
  size_t bytes() const { return bytes_; }
  // Writes the batch; the overlay is empty afterwards.
  void Flush();

 private:
  void Put(const std::string& key, const std::string& value);
  void Remove(const std::string& key);

  // What a key holds, as it was read or changed.
  struct Seen {
    std::optional<KeyCounters> counters;
    std::optional<KeyRecord> record;  // nothing also if the value was not needed so far
    bool is_changed = false;
  };

  Seen& See(const std::string& key);

  Store& store_;
  NewestRecords& newest_;
  leveldb::WriteBatch batch_;
  size_t bytes_ = 0;
  uint64_t digest_;
  absl::node_hash_map<std::string, Seen> keys_;
  absl::node_hash_map<std::string, std::string> answers_;  // added
};

}  // namespace decree::kv
