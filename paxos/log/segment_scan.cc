#include "paxos/log/segment_scan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "paxos/base/probe.h"
#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

struct Found {
  RecordHeader header;
  uint64_t offset = 0;
};

// The bytes of a segment and how far they have been understood.
class Scanner {
 public:
  Scanner(const Segment& segment, std::string bytes)
      : segment_(segment), bytes_(std::move(bytes)), group_(segment.header().first_group) {}

  uint64_t offset() const { return offset_; }
  uint64_t size() const { return bytes_.size(); }
  // The group that is expected at `offset`.
  Group group() const { return group_; }

  // Visits the group at `offset` and moves behind it. False, and nothing visited, if there is no
  // whole group with the expected number.
  StatusOr<bool> Next(const VisitRecord& visit) {
    std::vector<Found> records;
    uint64_t at = offset_;
    do {
      const std::optional<RecordHeader> header = RecordAt(at, static_cast<uint32_t>(records.size()));
      if (!header) return false;
      records.push_back({*header, at});
      at += header->RecordBytes();
    } while (!records.back().header.ends_group);
    for (const Found& record : records) RETURN_IF_ERROR(Visit(record, visit));
    offset_ = at;
    group_ = Group(group_.value() + 1);
    return true;
  }

  // Whether nothing was ever written at `offset` or behind.
  bool RestIsZero() const {
    return offset_ >= bytes_.size() ||
           bytes_.find_first_not_of('\0', static_cast<size_t>(offset_)) == std::string::npos;
  }

  // The offset of a record header of another group than the expected one, anywhere from `offset` on.
  std::optional<uint64_t> OtherGroupBehind() const {
    for (uint64_t at = offset_; at + kRecordHeaderBytes <= bytes_.size(); at += kRecordAlignment) {
      const auto header = DecodeHeader(View(at, kRecordHeaderBytes), segment_.seed(), at);
      if (header && header->group != group_) return at;
    }
    return std::nullopt;
  }

  Status Damaged(uint64_t at, const std::string& what) const {
    return DamagedError(StrCat(segment_.path(), " at offset ", at), what);
  }

 private:
  std::string_view View(uint64_t at, uint64_t size) const {
    if (at >= bytes_.size()) return {};
    return std::string_view(bytes_).substr(static_cast<size_t>(at), static_cast<size_t>(size));
  }

  std::optional<RecordHeader> RecordAt(uint64_t at, uint32_t index) const {
    auto header = DecodeHeader(View(at, kRecordHeaderBytes), segment_.seed(), at);
    if (!header || header->group != group_ || header->index != index) return std::nullopt;
    const uint64_t body_bytes = header->RecordBytes() - kRecordHeaderBytes;
    const std::string_view body = View(at + kRecordHeaderBytes, body_bytes);
    if (body.size() != body_bytes) return std::nullopt;
    if (!IsBodyIntact(*header, body, segment_.seed(), at)) return std::nullopt;
    return header;
  }

  Status Visit(const Found& record, const VisitRecord& visit) const {
    const std::string_view body =
        View(record.offset + kRecordHeaderBytes, record.header.body_bytes);
    if (const Status status = CheckRecord(record.header, body); !status.ok()) {
      return Damaged(record.offset, std::string(status.message()));
    }
    return visit({.header = record.header, .body = body, .offset = record.offset});
  }

  const Segment& segment_;
  const std::string bytes_;
  uint64_t offset_ = kSegmentHeaderBytes;
  Group group_;
};

StatusOr<Scanner> OpenScanner(const Segment& segment, Group last) {
  ASSIGN_OR_RETURN(const uint64_t size, segment.file().Size());
  ASSIGN_OR_RETURN(std::string bytes, segment.file().Read(0, static_cast<size_t>(size)));
  if (segment.header().first_group <= last) {
    return DamagedError(segment.path(), StrCat("it begins with group ",
                                               segment.header().first_group.value(),
                                               ", and the log before it ends with ", last.value()));
  }
  return Scanner(segment, std::move(bytes));
}

// Moves `last` to the group before the one that the scanner expects, if it has read any.
void NoteLast(const Scanner& scanner, const Segment& segment, Group& last) {
  if (scanner.group() > segment.header().first_group) last = Group(scanner.group().value() - 1);
}

}  // namespace

Status ScanWholeSegment(const Segment& segment, uint64_t end, Group next_group,
                        const VisitRecord& visit, Group& last) {
  ASSIGN_OR_RETURN(Scanner scanner, OpenScanner(segment, last));
  while (scanner.offset() < end) {
    ASSIGN_OR_RETURN(const bool whole, scanner.Next(visit));
    if (!whole) {
      return scanner.Damaged(scanner.offset(),
                             StrCat("group ", scanner.group().value(), " cannot be read, and the "
                                    "segment goes on up to offset ", end));
    }
  }
  if (scanner.offset() != end || scanner.group() > next_group) {
    return scanner.Damaged(scanner.offset(), StrCat("its records do not end at offset ", end));
  }
  NoteLast(scanner, segment, last);
  return OkStatus();
}

StatusOr<TailScan> ScanLastSegment(const Segment& segment, Group watermark,
                                   const VisitRecord& visit, Group& last) {
  ASSIGN_OR_RETURN(Scanner scanner, OpenScanner(segment, last));
  for (bool whole = true; whole;) {
    ASSIGN_OR_RETURN(whole, scanner.Next(visit));
  }
  NoteLast(scanner, segment, last);
  if (last < watermark) {
    return scanner.Damaged(scanner.offset(), StrCat("the log was durable up to group ",
                                                    watermark.value(), ", but can be read only up "
                                                    "to group ", last.value()));
  }
  TailScan tail{.end = scanner.offset(), .torn = false, .next_group = scanner.group()};
  if (scanner.RestIsZero()) return tail;
  if (const auto other = scanner.OtherGroupBehind()) {
    return scanner.Damaged(scanner.offset(), StrCat("group ", scanner.group().value(),
                                                    " cannot be read, but the log goes on behind "
                                                    "it, at offset ", *other));
  }
  PROBE("a torn write was cut off at start");
  tail.torn = true;
  tail.next_group = Group(scanner.group().value() + 1);
  return tail;
}

}  // namespace decree::paxos
