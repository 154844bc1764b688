#include "kv/key_record.h"

#include <optional>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/byte_reader.h"

namespace decree::kv {
namespace {

// They are written as short as they are.
constexpr size_t kUsualRevisionBytes = 5;
constexpr size_t kUsualCountersBytes = 13 + kUsualRevisionBytes;

void PutRevision(std::string& out, const Revision& revision) {
  PutVarint(out, revision.main);
  PutVarint(out, revision.sub);
}

// Nothing if this is no revision.
std::optional<Revision> TakeRevision(ByteReader& reader) {
  const uint64_t main = reader.Varint();
  const uint64_t sub = reader.Varint();
  if (!reader.ok() || sub > UINT32_MAX) return std::nullopt;
  return Revision{.main = main, .sub = static_cast<uint32_t>(sub)};
}

void PutCounters(std::string& out, const KeyCounters& counters) {
  PutVarint(out, counters.create_revision);
  PutRevision(out, counters.modified);
  PutVarint(out, counters.version);
  PutVarint(out, counters.lease);
  PutVarint(out, counters.value_bytes);
}

// Nothing if these are no counters.
std::optional<KeyCounters> TakeCounters(ByteReader& reader) {
  KeyCounters counters;
  counters.create_revision = reader.Varint();
  const std::optional<Revision> modified = TakeRevision(reader);
  counters.version = reader.Varint();
  counters.lease = reader.Varint();
  const uint64_t value_bytes = reader.Varint();
  if (!reader.ok() || !modified.has_value() || value_bytes > UINT32_MAX) return std::nullopt;
  counters.modified = *modified;
  counters.value_bytes = static_cast<uint32_t>(value_bytes);
  return counters;
}

// Nothing if this is no change.
std::optional<KeyChange> TakeAllButValue(ByteReader& reader) {
  const uint8_t deleted = reader.U8();
  const std::optional<KeyCounters> counters = TakeCounters(reader);
  const std::optional<Revision> previous = TakeRevision(reader);
  const std::string_view key = reader.String();
  if (!reader.ok() || !counters.has_value() || !previous.has_value() || deleted > 1) return std::nullopt;
  return KeyChange{.key = key,
                   .record = {.counters = *counters, .deleted = deleted == 1, .previous = *previous, .value = {}}};
}

}  // namespace

std::string EncodeKeyCounters(const KeyCounters& counters) {
  std::string out;
  out.reserve(kUsualCountersBytes);
  PutCounters(out, counters);
  return out;
}

std::string EncodeKeyChange(std::string_view key, const KeyRecord& record) {
  std::string out;
  out.reserve(1 + kUsualCountersBytes + kUsualRevisionBytes + sizeof(uint32_t) + key.size() + record.value.size());
  PutU8(out, record.deleted ? 1 : 0);
  PutCounters(out, record.counters);
  PutRevision(out, record.previous);
  PutString(out, key);
  out.append(record.value);
  return out;
}

StatusOr<KeyCounters> DecodeKeyCounters(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::optional<KeyCounters> counters = TakeCounters(reader);
  if (!counters.has_value() || !reader.AtEnd()) {
    return absl::DataLossError(StrCat("a key's head of ", bytes.size(), " bytes is malformed"));
  }
  return *counters;
}

StatusOr<KeyChange> DecodeKeyChange(std::string_view bytes) {
  ByteReader reader(bytes);
  std::optional<KeyChange> change = TakeAllButValue(reader);
  if (!change.has_value() || reader.rest().size() != change->record.counters.value_bytes) {
    return absl::DataLossError(StrCat("a change of ", bytes.size(), " bytes is malformed"));
  }
  change->record.value = std::string(reader.rest());
  return *std::move(change);
}

KeyCounters RequireKeyCounters(std::string_view bytes) {
  const StatusOr<KeyCounters> counters = DecodeKeyCounters(bytes);
  CHECK(counters.ok()) << counters.status();
  return *counters;
}

KeyRecord RequireChangeOf(std::string_view key, std::string_view bytes) {
  StatusOr<KeyChange> change = DecodeKeyChange(bytes);
  CHECK(change.ok()) << change.status();
  CHECK(change->key == key) << "revision " << change->record.counters.modified.main
                            << " is one of another key than the store says";
  return std::move(change->record);
}

std::string_view KeyOfChange(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::optional<KeyChange> change = TakeAllButValue(reader);
  CHECK(change.has_value()) << "a change of " << bytes.size() << " bytes is malformed";
  return change->key;
}

}  // namespace decree::kv
