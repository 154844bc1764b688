#include "paxos/log/record_codec.h"

#include <cstring>
#include <memory>

#include <glog/logging.h>

#include "paxos/base/byte_reader.h"
#include "paxos/base/checksum.h"

namespace decree::paxos {
namespace {

constexpr uint32_t kMark = 0x52434544;  // "DECR"
constexpr size_t kMarkOffset = 60;
constexpr size_t kCoveredOffset = 8;
constexpr size_t kBodyChecksumOffset = 8;
// Kind, proposer and log time; the payload follows.
constexpr size_t kEntryPrefixBytes = 1 + 8 + 4 + 8;

// What record types have in common for the codec.
struct Fields {
  RecordType type = RecordType::kAccepted;
  Slot slot;
  Ballot ballot;
  const Entry* entry = nullptr;  // none: the body is empty
};

Fields FieldsOf(const Record& record) {
  if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
    return {RecordType::kAccepted, accepted->slot, accepted->ballot, accepted->entry.get()};
  }
  if (const auto* chosen = std::get_if<ChosenRecord>(&record)) {
    return {RecordType::kChosen, chosen->slot, Ballot(), chosen->entry.get()};
  }
  const auto* index = std::get_if<ChosenIndexRecord>(&record);
  CHECK(index != nullptr) << "promises and rosters have files of their own";
  return {RecordType::kChosenIndex, index->slot, Ballot(), nullptr};
}

size_t BodyBytes(const Fields& fields) {
  return fields.entry == nullptr ? 0 : kEntryPrefixBytes + fields.entry->payload.size();
}

uint64_t Padded(uint64_t bytes) { return (bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment; }

uint64_t SeedAt(uint64_t seed, uint64_t offset) { return seed + offset * 0x9e3779b97f4a7c15; }

bool IsKnownKind(uint8_t kind) {
  return kind >= static_cast<uint8_t>(EntryKind::kNoOp) && kind <= static_cast<uint8_t>(EntryKind::kConfiguration);
}

}  // namespace

uint64_t RecordHeader::RecordBytes() const { return kRecordHeaderBytes + Padded(body_bytes); }

bool BelongsInLog(const Record& record) {
  return !std::holds_alternative<PromisedRecord>(record) && !std::holds_alternative<RosterRecord>(record);
}

Slot SlotOf(const Record& record) { return FieldsOf(record).slot; }

uint64_t EncodedBytes(const Record& record) { return kRecordHeaderBytes + Padded(BodyBytes(FieldsOf(record))); }

void EncodeRecord(const Record& record, const RecordContext& context, std::string& out) {
  const Fields fields = FieldsOf(record);
  const size_t body_bytes = BodyBytes(fields);
  CHECK_LE(body_bytes, kRecordBodyBytesMax) << "slot " << fields.slot;
  CHECK(fields.type == RecordType::kChosenIndex || fields.entry != nullptr);
  CHECK_EQ(context.offset % kRecordAlignment, 0u);

  const size_t start = out.size();
  PutU64(out, 0);  // the checksums, filled in below
  PutU64(out, 0);
  PutU32(out, static_cast<uint32_t>(body_bytes));
  PutU8(out, static_cast<uint8_t>(fields.type));
  PutU8(out, context.ends_group ? 1 : 0);
  out.append(2, '\0');
  PutU64(out, context.group.value());
  PutU64(out, fields.slot.value());
  PutU64(out, fields.ballot.round);
  PutU32(out, fields.ballot.node.value());
  PutU32(out, kGroup.value());
  PutU32(out, context.index);
  PutU32(out, kMark);
  if (fields.entry != nullptr) {
    PutU8(out, static_cast<uint8_t>(fields.entry->kind));
    PutU64(out, fields.entry->proposer.round);
    PutU32(out, fields.entry->proposer.node.value());
    PutU64(out, fields.entry->log_time.value());
    out.append(fields.entry->payload);
  }
  out.append(Padded(body_bytes) - body_bytes, '\0');
  SealRecord(context.seed, context.offset, out.data() + start, out.size() - start);
}

void SealRecord(uint64_t seed, uint64_t offset, char* record, size_t record_bytes) {
  CHECK_GE(record_bytes, kRecordHeaderBytes);
  const std::string_view bytes(record, record_bytes);
  const uint64_t body = Checksum(bytes.substr(kRecordHeaderBytes), SeedAt(seed, offset));
  std::memcpy(record + kBodyChecksumOffset, &body, sizeof(body));
  const std::string_view covered = bytes.substr(kCoveredOffset, kRecordHeaderBytes - kCoveredOffset);
  const uint64_t header = Checksum(covered, SeedAt(seed, offset));
  std::memcpy(record, &header, sizeof(header));
}

std::optional<RecordHeader> DecodeHeader(std::string_view bytes, uint64_t seed, uint64_t offset) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  if (ByteReader(bytes.substr(kMarkOffset)).U32() != kMark) return std::nullopt;
  ByteReader reader(bytes.substr(0, kRecordHeaderBytes));
  const uint64_t checksum = reader.U64();
  if (Checksum(reader.rest(), SeedAt(seed, offset)) != checksum) return std::nullopt;

  RecordHeader header;
  header.body_checksum = reader.U64();
  header.body_bytes = reader.U32();
  header.type = static_cast<RecordType>(reader.U8());
  header.ends_group = reader.U8() != 0;
  reader.Bytes(2);
  header.group = Group(reader.U64());
  header.slot = Slot(reader.U64());
  header.ballot.round = reader.U64();
  header.ballot.node = NodeId(reader.U32());
  header.log = GroupId(reader.U32());
  header.index = reader.U32();
  return header;
}

bool IsBodyIntact(const RecordHeader& header, std::string_view padded_body, uint64_t seed, uint64_t offset) {
  return Checksum(padded_body, SeedAt(seed, offset)) == header.body_checksum;
}

Status CheckRecord(const RecordHeader& header, std::string_view body) {
  if (header.log != kGroup) {
    return absl::DataLossError(StrCat("a record of log ", header.log.value(), ", where only log 0 is known"));
  }
  if (header.slot == kNoSlot) return absl::DataLossError("a record without a slot");
  switch (header.type) {
    case RecordType::kAccepted:
      if (header.ballot.IsNone()) return absl::DataLossError("a vote without a ballot");
      break;
    case RecordType::kChosen:
      break;
    case RecordType::kChosenIndex:
      return body.empty() ? OkStatus() : absl::DataLossError("a chosen index with a body");
    default:
      return absl::DataLossError(StrCat("a record of unknown type ", static_cast<int>(header.type)));
  }
  if (body.size() < kEntryPrefixBytes) return absl::DataLossError("an entry that is cut short");
  const uint8_t kind = ByteReader(body).U8();
  if (!IsKnownKind(kind)) return absl::DataLossError(StrCat("an entry of unknown kind ", kind));
  return OkStatus();
}

StatusOr<Vote> DecodeVote(const RecordHeader& header, std::string_view body) {
  RETURN_IF_ERROR(CheckRecord(header, body));
  if (header.type == RecordType::kChosenIndex) {
    return absl::DataLossError("a chosen index where a value was expected");
  }
  ByteReader reader(body);
  Entry entry;
  entry.kind = static_cast<EntryKind>(reader.U8());
  entry.proposer.round = reader.U64();
  entry.proposer.node = NodeId(reader.U32());
  entry.log_time = LogTime(reader.U64());
  entry.payload = std::string(reader.rest());
  return Vote{.slot = header.slot,
              .ballot = header.ballot,
              .chosen = header.type == RecordType::kChosen,
              .entry = std::make_shared<const Entry>(std::move(entry))};
}

}  // namespace decree::paxos
