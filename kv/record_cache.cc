#include "kv/record_cache.h"

#include <utility>

#include "kv/store.h"

namespace decree::kv {
namespace {

// Of an entry's parts beside the bytes of key and value: the cache's handle, the record, and what the
// allocator adds to each.
constexpr size_t kCacheEntryBytes = 256;

void DeleteRecord(const leveldb::Slice&, void* value) { delete static_cast<SharedRecord*>(value); }

}  // namespace

RecordCache::RecordCache(size_t bytes) : cache_(leveldb::NewLRUCache(bytes)) {}

SharedRecord RecordCache::Find(std::string_view key) const {
  leveldb::Cache::Handle* const handle = cache_->Lookup(ToSlice(key));
  if (handle == nullptr) return nullptr;
  SharedRecord record = *static_cast<SharedRecord*>(cache_->Value(handle));
  cache_->Release(handle);
  return record;
}

void RecordCache::Forget(std::string_view key) { cache_->Erase(ToSlice(key)); }

void RecordCache::Set(std::string_view key, SharedRecord record) {
  const size_t bytes = kCacheEntryBytes + key.size() + record->value.size();
  cache_->Release(cache_->Insert(ToSlice(key), new SharedRecord(std::move(record)), bytes, DeleteRecord));
}

}  // namespace decree::kv
