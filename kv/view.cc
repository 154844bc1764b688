#include "kv/view.h"

#include <glog/logging.h>

#include "kv/answer_block.h"
#include "kv/key_codec.h"
#include "kv/record_reader.h"
#include "kv/sessions.h"

namespace decree::kv {

v1::KeyValue ToKeyValue(std::string_view key, const KeyRecord& record) {
  v1::KeyValue kv;
  kv.set_key(key.data(), key.size());
  kv.set_value(record.value);
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
    return absl::OutOfRangeError(
        StrCat("revision ", revision, " is not made yet; the newest is ", state_.revision));
  }
  return ScanRange(*snapshot_, range, revision, visit);
}

RequestFate View::FateOf(uint64_t session, uint64_t number) const {
  using Kind = RequestFate::Kind;
  const std::optional<std::string> bytes = snapshot_->Get(SessionKey(session));
  if (!bytes.has_value()) return {.kind = Kind::kUnknownSession, .answer = {}};
  const StatusOr<SessionRecord> record = DecodeSessionRecord(*bytes);
  CHECK(record.ok()) << record.status();
  if (number < record->floor) return {.kind = Kind::kBelowFloor, .answer = {}};
  RequestFate fate{.kind = Kind::kNotYet, .answer = {}};
  snapshot_->Scan(AnswersKey(session, 0), AnswersEnd(session), [&](std::string_view, std::string_view block) {
    const StatusOr<std::optional<SessionAnswer>> answer = FindAnswer(block, number);
    CHECK(answer.ok()) << answer.status();
    if (!answer->has_value()) return true;
    fate.kind = Kind::kEnded;
    CHECK(fate.answer.ParseFromString((*answer)->result)) << "an answer of our own making";
    return false;
  });
  return fate;
}

}  // namespace decree::kv
