#pragma once
// Records of the log as bytes. All numbers are little-endian.
//
//   0   8  checksum of the header from byte 8 on
//   8   8  checksum of the body with its padding
//   16  4  length of the body, without padding
//   20  1  type
//   21  1  1 if it is the last record of its group, else 0
//   22  2  0
//   24  8  group: all that was written and synced at once
//   32  8  slot
//   40  8  round of the ballot, 0 if none
//   48  4  node of the ballot
//   52  4  which replicated log (GroupId), 0 today
//   56  4  position within the group, from 0
//   60  4  a constant, so that a search for records is quick
//   64     body, padded with zeros to a multiple of 8
//
// Both checksums are seeded with the segment's identity and the record's offset: bytes that were
// written for another segment, which this file may have been before, or that belong to another position
// never read as a record. The header's checksum covers the length, so that no length is believed that
// we did not write.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "paxos/base/status.h"
#include "paxos/base/strong_int.h"
#include "paxos/core/protocol/record.h"

namespace decree::paxos {

// Numbers the group commits of a log, from 1 on. Never used twice, not even for a torn group.
using Group = StrongInt<struct GroupTag, uint64_t>;

enum class RecordType : uint8_t { kAccepted = 1, kChosen = 2, kChosenIndex = 3 };

inline constexpr size_t kRecordHeaderBytes = 64;
inline constexpr size_t kRecordAlignment = 8;
inline constexpr size_t kRecordBodyBytesMax = size_t{1} << 30;

struct RecordHeader {
  uint64_t body_checksum = 0;
  uint32_t body_bytes = 0;
  RecordType type = RecordType::kAccepted;
  bool ends_group = false;
  Group group;
  Slot slot;
  Ballot ballot;
  GroupId log;
  uint32_t index = 0;  // within the group

  // What the record takes in the file.
  uint64_t RecordBytes() const;
};

// What a record is written with: where it goes, and which group it belongs to.
struct RecordContext {
  uint64_t seed = 0;    // of the segment
  uint64_t offset = 0;  // in the file
  Group group;
  uint32_t index = 0;
  bool ends_group = false;
};

// True for all but PromisedRecord and RosterRecord, which have files of their own.
bool BelongsInLog(const Record& record);
// The slot of a record that belongs in the log.
Slot SlotOf(const Record& record);
// What the record will take in the file.
uint64_t EncodedBytes(const Record& record);
// Appends the record; `out` then is longer by EncodedBytes.
void EncodeRecord(const Record& record, const RecordContext& context, std::string& out);
// Computes both checksums of the encoded record, which is header and padded body. Public so that a
// fuzzer gets past them.
void SealRecord(uint64_t seed, uint64_t offset, char* record, size_t record_bytes);

// The header at the beginning of `bytes`; nothing unless we wrote it, for this offset.
std::optional<RecordHeader> DecodeHeader(std::string_view bytes, uint64_t seed, uint64_t offset);
// Whether the padded body that follows the header is what we wrote.
bool IsBodyIntact(const RecordHeader& header, std::string_view padded_body, uint64_t seed, uint64_t offset);
// Whether this program understands an intact record; it might be from a program that was wrong.
Status CheckRecord(const RecordHeader& header, std::string_view body);
// The vote that a checked record of type kAccepted or kChosen holds. `body` is without padding.
StatusOr<Vote> DecodeVote(const RecordHeader& header, std::string_view body);

}  // namespace decree::paxos
