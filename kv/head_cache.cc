#include "kv/head_cache.h"

#include <optional>
#include <string>
#include <utility>

#include "kv/record_reader.h"

namespace decree::kv {
namespace {

// Of an entry's parts beside the bytes of key and value: the cache's handle, the record, and what the
// allocator adds to each.
constexpr size_t kOverheadBytes = 256;

void DeleteHead(const leveldb::Slice&, void* value) { delete static_cast<Head*>(value); }

}  // namespace

Head ReadHead(const Store& store, std::string_view key) {
  const std::optional<KeyCounters> counters = ReadCounters(store, key);
  if (!counters.has_value()) return nullptr;
  return std::make_shared<const KeyRecord>(ReadChange(store, key, counters->modified));
}

HeadCache::HeadCache(size_t bytes) : cache_(leveldb::NewLRUCache(bytes)) {}

Head HeadCache::Find(std::string_view key) const {
  leveldb::Cache::Handle* const handle = cache_->Lookup(ToSlice(key));
  if (handle == nullptr) return nullptr;
  Head head = *static_cast<Head*>(cache_->Value(handle));
  cache_->Release(handle);
  return head;
}

void HeadCache::Set(std::string_view key, Head head) {
  if (head == nullptr) return cache_->Erase(ToSlice(key));
  const size_t bytes = kOverheadBytes + key.size() + head->value.size();
  cache_->Release(cache_->Insert(ToSlice(key), new Head(std::move(head)), bytes, DeleteHead));
}

}  // namespace decree::kv
