#include "kv/overlay.h"

#include <utility>

#include <glog/logging.h>

#include "kv/key_codec.h"
#include "paxos/base/checksum.h"

namespace decree::kv {
namespace {

// How many changes of a key go without a signpost between two that have one: what a read of an old revision
// takes against what a put takes.
constexpr uint64_t kSignpostStride = 8;

// A deletion always has one, for no head leads to it.
bool HasSignpost(const KeyRecord& record) { return record.deleted || record.counters.version % kSignpostStride == 0; }

}  // namespace

Overlay::Seen& Overlay::See(const std::string& key) {
  const auto [found, is_new] = keys_.try_emplace(key);
  if (is_new) found->second.counters = newest_.CountersOf(key);
  return found->second;
}

const std::optional<KeyCounters>& Overlay::CountersOf(const std::string& key) { return See(key).counters; }

const std::optional<KeyRecord>& Overlay::RecordOf(const std::string& key) {
  Seen& seen = See(key);
  if (seen.counters.has_value() && !seen.record.has_value()) {
    seen.record = newest_.RecordWith(key, *seen.counters);
  }
  return seen.record;
}

void Overlay::Change(const std::string& key, KeyRecord record) {
  Seen& seen = See(key);
  const Revision revision = record.counters.modified;
  if (seen.counters.has_value()) record.previous = seen.counters->modified;
  CHECK(record.previous < revision) << "revision " << revision.main << " is not the newest";
  Put(ChangeKey(revision), EncodeKeyChange(key, record));
  if (HasSignpost(record)) Put(SignpostKey(key, revision), "");
  seen.is_changed = true;
  if (record.deleted) {
    Remove(HeadKey(key));
    seen.counters.reset();
    seen.record.reset();
  } else {
    Put(HeadKey(key), EncodeKeyCounters(record.counters));
    seen.counters = record.counters;
    seen.record = std::move(record);
  }
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

void Overlay::PutAnswers(uint64_t session, uint64_t first_number, const std::string& block) {
  const std::string key = AnswersKey(session, first_number);
  Put(key, block);
  answers_[key] = block;
}

std::string Overlay::Answers(uint64_t session, uint64_t first_number) const {
  const std::string key = AnswersKey(session, first_number);
  const auto added = answers_.find(key);
  if (added != answers_.end()) return added->second;
  std::optional<std::string> stored = store_.Get(key);
  CHECK(stored.has_value()) << "the store has lost the answers from " << first_number << " of session " << session;
  return *std::move(stored);
}

void Overlay::RemoveAnswers(uint64_t session, uint64_t first_number) {
  const std::string key = AnswersKey(session, first_number);
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
  for (auto& [key, seen] : keys_) {
    if (seen.is_changed) newest_.Set(key, seen.counters);
  }
  keys_.clear();
  answers_.clear();
}

}  // namespace decree::kv
