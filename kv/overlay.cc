#include "kv/overlay.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/checksum.h"

namespace decree::kv {

Head Overlay::HeadOf(const std::string& key) {
  const auto [found, is_new] = heads_.try_emplace(key);
  Seen& seen = found->second;
  if (!is_new) return seen.head;
  seen.head = cache_.Find(key);
  seen.is_cached = seen.head != nullptr;
  if (!seen.is_cached) seen.head = ReadHead(store_, key);
  return seen.head;
}

void Overlay::SetHead(const std::string& key, KeyRecord record) {
  Put(HeadKey(key), EncodeKeyRecord(record));
  heads_[key] = {.head = std::make_shared<const KeyRecord>(std::move(record)), .is_cached = false};
}

void Overlay::RemoveHead(const std::string& key) {
  Remove(HeadKey(key));
  heads_[key] = {};
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

void Overlay::Remove(const std::string& key) {
  batch_.Delete(key);
  bytes_ += key.size();
  Digest(key);
}

// ---- Sessions ----

void Overlay::PutAnswer(uint64_t session, uint64_t number, const std::string& bytes) {
  const std::string key = AnswerKey(session, number);
  Put(key, bytes);
  answers_[key] = bytes;
}

std::string Overlay::Answer(uint64_t session, uint64_t number) const {
  const std::string key = AnswerKey(session, number);
  const auto added = answers_.find(key);
  if (added != answers_.end()) return added->second;
  std::optional<std::string> stored = store_.Get(key);
  CHECK(stored.has_value()) << "the store has lost answer " << number << " of session " << session;
  return *std::move(stored);
}

void Overlay::RemoveAnswer(uint64_t session, uint64_t number) {
  const std::string key = AnswerKey(session, number);
  Remove(key);
  answers_.erase(key);
}

void Overlay::PutSession(uint64_t session, const std::string& bytes) {
  const std::string key = SessionKey(session);
  batch_.Put(key, bytes);
  bytes_ += key.size() + bytes.size();
}

void Overlay::RemoveSession(uint64_t session) { Remove(SessionKey(session)); }

void Overlay::Digest(std::string_view bytes) { digest_ = Checksum(bytes, digest_); }

void Overlay::PutMeta(Meta which, const std::string& bytes) {
  batch_.Put(MetaKey(which), bytes);
  bytes_ += bytes.size();
}

void Overlay::Flush() {
  store_.Write(batch_);
  batch_.Clear();
  bytes_ = 0;
  for (auto& [key, seen] : heads_) {
    if (!seen.is_cached) cache_.Set(key, std::move(seen.head));
  }
  heads_.clear();
  answers_.clear();
}

}  // namespace decree::kv
