#include "paxos/log/segment_scan.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "paxos/base/rare_case.h"
#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

struct Found {
  RecordHeader header;
  uint64_t offset = 0;
};

// How much of a segment is held in memory at once; more only if a group is larger.
constexpr uint64_t kWindowBytes = 1 << 20;

// Part of a file, read as it is asked for.
class Window {
 public:
  Window(const File& file, uint64_t size) : file_(file), size_(size) {}

  uint64_t size() const { return size_; }

  // The bytes from `at` on, fewer at the end of the file; valid until the next call. Those from `keep`
  // on, which is not behind `at`, will be asked for again.
  StatusOr<std::string_view> View(uint64_t keep, uint64_t at, uint64_t bytes) {
    CHECK_LE(keep, at);
    const uint64_t end = std::min(size_, at + bytes);
    if (at >= end) return std::string_view();
    if (keep < first_ || end > first_ + bytes_.size()) {
      // Twice what is needed, so that a large group is not read again for each of its records.
      const uint64_t wanted = std::max(kWindowBytes, 2 * (end - keep));
      ASSIGN_OR_RETURN(bytes_, file_.Read(keep, static_cast<size_t>(std::min(wanted, size_ - keep))));
      first_ = keep;
    }
    return std::string_view(bytes_).substr(static_cast<size_t>(at - first_), static_cast<size_t>(end - at));
  }

 private:
  const File& file_;
  const uint64_t size_;
  uint64_t first_ = 0;
  std::string bytes_;
};

// A segment and how far it has been understood.
class Scanner {
 public:
  Scanner(const Segment& segment, uint64_t size)
      : segment_(segment), window_(segment.file(), size), group_(segment.header().first_group) {}

  uint64_t offset() const { return offset_; }
  // The group that is expected at `offset`.
  Group group() const { return group_; }

  // Visits the group at `offset` and moves behind it. False, and nothing visited, if there is no
  // whole group with the expected number.
  StatusOr<bool> Next(const VisitRecord& visit) {
    std::vector<Found> records;
    uint64_t at = offset_;
    do {
      ASSIGN_OR_RETURN(const std::optional<RecordHeader> header, RecordAt(at, static_cast<uint32_t>(records.size())));
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
  StatusOr<bool> RestIsZero() {
    for (uint64_t at = offset_; at < window_.size(); at += kWindowBytes) {
      ASSIGN_OR_RETURN(const std::string_view bytes, window_.View(at, at, kWindowBytes));
      if (bytes.find_first_not_of('\0') != std::string_view::npos) return false;
    }
    return true;
  }

  // The offset of a record header of another group than the expected one, anywhere from `offset` on.
  StatusOr<std::optional<uint64_t>> OtherGroupBehind() {
    for (uint64_t at = offset_; at + kRecordHeaderBytes <= window_.size(); at += kRecordAlignment) {
      ASSIGN_OR_RETURN(const std::string_view bytes, window_.View(at, at, kRecordHeaderBytes));
      const auto header = DecodeHeader(bytes, segment_.seed(), at);
      if (header && header->group != group_) return std::optional(at);
    }
    return std::nullopt;
  }

  Status Damaged(uint64_t at, const std::string& what) const {
    return DamagedError(StrCat(segment_.path(), " at offset ", at), what);
  }

 private:
  StatusOr<std::optional<RecordHeader>> RecordAt(uint64_t at, uint32_t index) {
    ASSIGN_OR_RETURN(const std::string_view bytes, window_.View(offset_, at, kRecordHeaderBytes));
    const auto header = DecodeHeader(bytes, segment_.seed(), at);
    if (!header || header->group != group_ || header->index != index) return std::nullopt;
    const uint64_t body_bytes = header->RecordBytes() - kRecordHeaderBytes;
    if (at + header->RecordBytes() > window_.size()) return std::nullopt;
    ASSIGN_OR_RETURN(const std::string_view body, window_.View(offset_, at + kRecordHeaderBytes, body_bytes));
    if (!IsBodyIntact(*header, body, segment_.seed(), at)) return std::nullopt;
    return header;
  }

  Status Visit(const Found& record, const VisitRecord& visit) {
    ASSIGN_OR_RETURN(const std::string_view body,
                     window_.View(offset_, record.offset + kRecordHeaderBytes, record.header.body_bytes));
    if (const Status status = CheckRecord(record.header, body); !status.ok()) {
      return Damaged(record.offset, std::string(status.message()));
    }
    return visit({.header = record.header, .body = body, .offset = record.offset});
  }

  const Segment& segment_;
  Window window_;
  uint64_t offset_ = kSegmentHeaderBytes;
  Group group_;
};

StatusOr<Scanner> OpenScanner(const Segment& segment, Group last) {
  ASSIGN_OR_RETURN(const uint64_t size, segment.file().Size());
  if (segment.header().first_group <= last) {
    return DamagedError(segment.path(), StrCat("it begins with group ", segment.header().first_group.value(),
                                               ", and the log before it ends with ", last.value()));
  }
  return Scanner(segment, size);
}

// Moves `last` to the group before the one that the scanner expects, if it has read any.
void NoteLast(const Scanner& scanner, const Segment& segment, Group& last) {
  if (scanner.group() > segment.header().first_group) last = Group(scanner.group().value() - 1);
}

}  // namespace

Status ScanWholeSegment(const Segment& segment, uint64_t end, Group next_group, const VisitRecord& visit, Group& last) {
  ASSIGN_OR_RETURN(Scanner scanner, OpenScanner(segment, last));
  while (scanner.offset() < end) {
    ASSIGN_OR_RETURN(const bool whole, scanner.Next(visit));
    if (!whole) {
      return scanner.Damaged(scanner.offset(), StrCat("group ", scanner.group().value(),
                                                      " cannot be read, and the "
                                                      "segment goes on up to offset ",
                                                      end));
    }
  }
  if (scanner.offset() != end || scanner.group() > next_group) {
    return scanner.Damaged(scanner.offset(), StrCat("its records do not end at offset ", end));
  }
  NoteLast(scanner, segment, last);
  return OkStatus();
}

StatusOr<TailScan> ScanLastSegment(const Segment& segment, Group watermark, const VisitRecord& visit, Group& last) {
  ASSIGN_OR_RETURN(Scanner scanner, OpenScanner(segment, last));
  for (bool whole = true; whole;) {
    ASSIGN_OR_RETURN(whole, scanner.Next(visit));
  }
  NoteLast(scanner, segment, last);
  if (last < watermark) {
    return scanner.Damaged(scanner.offset(), StrCat("the log was durable up to group ", watermark.value(),
                                                    ", but can be read only up "
                                                    "to group ",
                                                    last.value()));
  }
  TailScan tail{.end = scanner.offset(), .torn = false, .next_group = scanner.group()};
  ASSIGN_OR_RETURN(const bool is_clean, scanner.RestIsZero());
  if (is_clean) return tail;
  ASSIGN_OR_RETURN(const std::optional<uint64_t> other, scanner.OtherGroupBehind());
  if (other.has_value()) {
    return scanner.Damaged(scanner.offset(), StrCat("group ", scanner.group().value(),
                                                    " cannot be read, but the log goes on behind "
                                                    "it, at offset ",
                                                    *other));
  }
  RARE_CASE("a torn write was cut off at start");
  tail.torn = true;
  tail.next_group = Group(scanner.group().value() + 1);
  return tail;
}

}  // namespace decree::paxos
