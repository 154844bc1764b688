#include "kv/record_cache.h"

#include <iterator>
#include <utility>

#include "absl/hash/hash.h"

namespace decree::kv {
namespace {

// What an entry takes beside the bytes of its change: the list's node, its share of the table, and what the allocator
// adds.
constexpr size_t kEntryOverheadBytes = 96;

}  // namespace

size_t RecordCache::Hash::operator()(std::string_view key) const { return absl::HashOf(key); }

size_t RecordCache::BytesOf(const Entry& entry) { return kEntryOverheadBytes + entry.change.size(); }

std::optional<KeyRecord> RecordCache::Find(std::string_view key) {
  const auto found = positions_.find(key);
  if (found == positions_.end()) return std::nullopt;
  const Position position = *found;
  entries_.splice(entries_.begin(), entries_, position);
  return RequireChangeOf(key, position->change);
}

void RecordCache::Set(std::string change) {
  const std::string_view key = KeyOfChange(change);
  Forget(key);
  const size_t key_at = static_cast<size_t>(key.data() - change.data());
  entries_.push_front({.change = std::move(change), .key_at = key_at, .key_size = key.size()});
  bytes_ += BytesOf(entries_.front());
  positions_.insert(entries_.begin());
  while (bytes_ > bytes_max_) Remove(std::prev(entries_.end()));
}

void RecordCache::Forget(std::string_view key) {
  if (const auto found = positions_.find(key); found != positions_.end()) Remove(*found);
}

void RecordCache::Remove(Position position) {
  positions_.erase(position);
  bytes_ -= BytesOf(*position);
  entries_.erase(position);
}

}  // namespace decree::kv
