#include "kv/overlay.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/checksum.h"

namespace decree::kv {

const KeyRecord* Overlay::Head(const std::string& key) {
  const auto [found, is_new] = heads_.try_emplace(key);
  if (is_new) {
    if (const auto bytes = store_.Get(HeadKey(key))) found->second = RequireKeyRecord(*bytes);
  }
  return found->second.has_value() ? &*found->second : nullptr;
}

void Overlay::SetHead(const std::string& key, KeyRecord record) {
  Put(HeadKey(key), EncodeKeyRecord(record));
  heads_[key] = std::move(record);
}

void Overlay::RemoveHead(const std::string& key) {
  const std::string head = HeadKey(key);
  batch_.Delete(head);
  bytes_ += head.size();
  Digest(head);
  heads_[key] = std::nullopt;
}

void Overlay::AddHistory(const std::string& key, const KeyRecord& record) {
  Put(HistoryKey(key, record.modified), EncodeKeyRecord(record));
}

void Overlay::Put(const std::string& key, const std::string& value) {
  batch_.Put(key, value);
  bytes_ += key.size() + value.size();
  Digest(key);
  Digest(value);
}

void Overlay::Digest(std::string_view bytes) { digest_ = Checksum(bytes, digest_); }

void Overlay::PutMeta(Meta which, const std::string& bytes) {
  batch_.Put(MetaKey(which), bytes);
  bytes_ += bytes.size();
}

void Overlay::Flush() {
  store_.Write(batch_);
  batch_.Clear();
  bytes_ = 0;
  heads_.clear();
}

KeyRecord RequireKeyRecord(std::string_view bytes) {
  StatusOr<KeyRecord> record = DecodeKeyRecord(bytes);
  CHECK(record.ok()) << record.status();
  return *std::move(record);
}

}  // namespace decree::kv
