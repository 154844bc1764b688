#pragma once
// Reads a segment at start, group by group, and judges what it ends with: nothing more, a torn write
// that may be cut off, or damage.
//
// At most one group is unsynced at any time, so a write can be torn only in the log's last group, and
// no record of a later group can lie behind it. (paxos/README.md, "Durability".)

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "paxos/base/status.h"
#include "paxos/log/record_codec.h"
#include "paxos/log/segment.h"

namespace decree::paxos {

struct ScannedRecord {
  const RecordHeader& header;
  std::string_view body;  // without padding
  uint64_t offset;        // of the header, in the file
};
// Called for every record of whole groups, in order. An error ends the scan.
using VisitRecord = std::function<Status(const ScannedRecord&)>;

// Reads a segment that another follows: its records must fill it up to `end`, which that one's header
// names, with groups below `next_group`. Otherwise kDataLoss. `last` is the last group seen before, or
// none; it is moved on.
Status ScanWholeSegment(const Segment& segment, uint64_t end, Group next_group, const VisitRecord& visit, Group& last);

struct TailScan {
  uint64_t end = 0;   // of the last whole group
  bool torn = false;  // behind it lies part of a group that was never acknowledged
  // Above every group that this segment may hold a trace of.
  Group next_group;
};
// Reads the log's last segment. kDataLoss if what is damaged may have been acknowledged: it lies at or
// below `watermark`, or before a record of a higher group, or the log ends below `watermark`.
StatusOr<TailScan> ScanLastSegment(const Segment& segment, Group watermark, const VisitRecord& visit, Group& last);

}  // namespace decree::paxos
