#include "kv/record_cache.h"

#include <iterator>
#include <utility>

#include "absl/hash/hash.h"

namespace decree::kv {
namespace {

// Of an entry beside the bytes of its change: the list's node, its share of the table, and what the allocator
// adds.
constexpr size_t kEntryOverheadBytes = 96;

}  // namespace

size_t RecordCache::Hash::operator()(std::string_view key) const { return absl::HashOf(key); }

size_t RecordCache::BytesOf(const Entry& entry) { return kEntryOverheadBytes + entry.change.size(); }

SharedRecord RecordCache::Find(std::string_view key) {
  const auto found = places_.find(key);
  if (found == places_.end()) return nullptr;
  const Place place = *found;
  entries_.splice(entries_.begin(), entries_, place);
  return std::make_shared<const KeyRecord>(RequireChangeOf(key, place->change));
}

void RecordCache::Set(std::string_view key, const KeyRecord& record) {
  Forget(key);
  Entry entry{.change = EncodeKeyChange(key, record), .key_size = static_cast<uint32_t>(key.size())};
  // Behind the key comes the value, and nothing else (key_record.cc).
  entry.key_at = static_cast<uint32_t>(entry.change.size() - record.value.size() - key.size());
  bytes_ += BytesOf(entry);
  entries_.push_front(std::move(entry));
  places_.insert(entries_.begin());
  while (bytes_ > bytes_max_) Remove(std::prev(entries_.end()));
}

void RecordCache::Forget(std::string_view key) {
  if (const auto found = places_.find(key); found != places_.end()) Remove(*found);
}

void RecordCache::Remove(Place place) {
  places_.erase(place);
  bytes_ -= BytesOf(*place);
  entries_.erase(place);
}

}  // namespace decree::kv
