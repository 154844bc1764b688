#include "kv/newest_records.h"

#include <utility>

#include <glog/logging.h>

#include "kv/record_reader.h"

namespace decree::kv {

NewestRecords::NewestRecords(const Store& store, const MemoryOptions& options)
    : store_(store), index_(options.key_index_bytes), cache_(options.record_cache_bytes) {
  index_.Load(store);
}

std::optional<KeyCounters> NewestRecords::CountersOf(std::string_view key) {
  const KeyIndex::Finding finding = index_.Find(key);
  if (finding.is_known) return finding.counters;
  const std::optional<KeyCounters> counters = ReadCounters(store_, key);
  if (counters.has_value()) index_.Set(key, counters);
  return counters;
}

KeyRecord NewestRecords::RecordWith(std::string_view key, const KeyCounters& counters) {
  std::optional<KeyRecord> record = cache_.Find(key);
  if (!record.has_value()) {
    std::string change = ReadChangeBytes(store_, counters.modified);
    record = RequireChangeOf(key, change);
    cache_.Set(std::move(change));
  }
  CHECK(record->counters == counters) << "what is known of a key in memory differs";
  return *std::move(record);
}

std::optional<KeyRecord> NewestRecords::RecordOf(std::string_view key) {
  std::optional<KeyRecord> record = cache_.Find(key);
  if (record.has_value()) return record;
  const std::optional<KeyCounters> counters = CountersOf(key);
  if (!counters.has_value()) return std::nullopt;
  return RecordWith(key, *counters);
}

void NewestRecords::Set(std::string_view key, const std::optional<KeyCounters>& counters) {
  index_.Set(key, counters);
  cache_.Forget(key);
}

}  // namespace decree::kv
