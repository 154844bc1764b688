#include "kv/key_record.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/byte_reader.h"

namespace decree::kv {

std::string EncodeKeyRecord(const KeyRecord& record) {
  constexpr size_t kFixedBytes = 1 + 8 + 8 + 4 + 8 + 8;
  std::string out;
  out.reserve(kFixedBytes + record.value.size());
  PutU8(out, record.deleted ? 1 : 0);
  PutU64(out, record.create_revision);
  PutU64(out, record.modified.main);
  PutU32(out, record.modified.sub);
  PutU64(out, record.version);
  PutU64(out, record.lease);
  out.append(record.value);
  return out;
}

StatusOr<KeyRecord> DecodeKeyRecord(std::string_view bytes) {
  ByteReader reader(bytes);
  KeyRecord record;
  const uint8_t deleted = reader.U8();
  record.deleted = deleted != 0;
  record.create_revision = reader.U64();
  record.modified.main = reader.U64();
  record.modified.sub = reader.U32();
  record.version = reader.U64();
  record.lease = reader.U64();
  record.value = std::string(reader.rest());
  if (!reader.ok() || deleted > 1) {
    return absl::DataLossError(StrCat("a key's record of ", bytes.size(), " bytes is malformed"));
  }
  return record;
}

KeyRecord RequireKeyRecord(std::string_view bytes) {
  StatusOr<KeyRecord> record = DecodeKeyRecord(bytes);
  CHECK(record.ok()) << record.status();
  return *std::move(record);
}

}  // namespace decree::kv
