#include "kv/view.h"

#include <utility>

#include "kv/key_codec.h"
#include "kv/record_reader.h"

namespace decree::kv {

v1::KeyValue ToKeyValue(std::string_view key, KeyRecord record) {
  v1::KeyValue kv;
  kv.set_key(key.data(), key.size());
  kv.set_value(std::move(record.value));
  kv.set_create_revision(record.counters.create_revision);
  kv.set_mod_revision(record.counters.modified.main);
  kv.set_version(record.counters.version);
  kv.set_lease(record.counters.lease);
  return kv;
}

std::optional<KeyRecord> View::Get(std::string_view key) const {
  const std::optional<KeyCounters> counters = ReadCounters(*snapshot_, key);
  if (!counters.has_value()) return std::nullopt;
  return ReadChange(*snapshot_, key, counters->modified);
}

StatusOr<std::optional<std::string>> View::Scan(const KeyRange& range, uint64_t revision,
                                                const RangeVisitor& visit) const {
  if (revision > state_.revision) {
    return absl::OutOfRangeError(StrCat("revision ", revision, " is not made yet; the newest is ", state_.revision));
  }
  return ScanRange(*snapshot_, range, revision, visit);
}

}  // namespace decree::kv
