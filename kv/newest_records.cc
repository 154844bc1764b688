#include "kv/newest_records.h"

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

SharedRecord NewestRecords::RecordWith(std::string_view key, const KeyCounters& counters) {
  SharedRecord record = cache_.Find(key);
  if (record == nullptr) {
    record = std::make_shared<const KeyRecord>(ReadChange(store_, key, counters.modified));
    cache_.Set(key, *record);
  }
  CHECK(record->counters == counters) << "what is known of a key in memory differs";
  return record;
}

SharedRecord NewestRecords::RecordOf(std::string_view key) {
  SharedRecord record = cache_.Find(key);
  if (record != nullptr) return record;
  const std::optional<KeyCounters> counters = CountersOf(key);
  return counters.has_value() ? RecordWith(key, *counters) : nullptr;
}

void NewestRecords::Set(std::string_view key, const std::optional<KeyCounters>& counters) {
  index_.Set(key, counters);
  cache_.Forget(key);
}

}  // namespace decree::kv
