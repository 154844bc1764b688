#pragma once
// The durable memory of one node: an append-only log of records in segment files, the promise file,
// and the identity of the directory they are in. The rules are in paxos/README.md, "Durability".
//
// Passive and synchronous, for one thread. A write or sync that fails ends the process (LOG(FATAL)):
// the kernel may have dropped the pages, so nothing that follows could be trusted. What is wrong with
// the files found at start is returned as an error that names file, offset and remedy.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "paxos/base/status.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/record.h"
#include "paxos/core/protocol/types.h"
#include "paxos/fs/file_system.h"
#include "paxos/log/identity.h"

namespace decree::paxos {

struct LogOptions {
  // A group that is larger gets a segment of its own size.
  uint64_t segment_bytes = 64 << 20;
  // By how much more than a group needs a segment's file grows, within `segment_bytes`.
  uint64_t zero_ahead_bytes = 256 << 10;
};

// What Open found.
struct RecoveredLog {
  Ballot promised;
  // The highest slot that a ChosenIndexRecord names; kNoSlot if none.
  Slot chosen_index;
  // The slots of which the log has records; kNoSlot if it is empty.
  Slot first_slot;
  Slot last_slot;
  // The incarnations of the first members; empty before they have met.
  Roster roster;
  // A torn last write was cut off.
  bool torn_tail = false;
};

class SegmentLog {
 public:
  // Makes a fresh directory at `path`, durable on return. It must be absent, or hold nothing but what
  // an earlier Format that was cut short has left.
  static Status Format(FileSystem& files, const std::string& path, const LogIdentity& identity);
  // Reads who owns a directory without locking it. kNotFound: it is not formatted.
  static StatusOr<LogIdentity> ReadIdentity(FileSystem& files, const std::string& path);

  // Locks and recovers the directory. The caller compares `identity()` with what it expects.
  static StatusOr<std::unique_ptr<SegmentLog>> Open(FileSystem& files, const std::string& path,
                                                    const LogOptions& options);
  virtual ~SegmentLog() = default;

  virtual const LogIdentity& identity() const = 0;
  virtual const RecoveredLog& recovered() const = 0;

  // Writes all batches as one group and syncs it; on return they are durable. RosterRecords and
  // PromisedRecords go to files of their own, before the group is written.
  virtual void Append(std::span<const RecordBatch> batches) = 0;

  // The newest record of each slot in [first, last], in slot order, until `bytes_max` is reached (at
  // least one, if there is any). A missing slot is left out. `Vote::chosen` is set for ChosenRecords;
  // an AcceptedRecord at or below a chosen index is chosen too, which only the caller knows.
  virtual StatusOr<std::vector<Vote>> Read(Slot first, Slot last, size_t bytes_max) = 0;

  // The lowest slot of those that end with `last`, without a gap, and take no more than `bytes_max` on disk;
  // last.Next() if there is none.
  virtual Slot TailStart(Slot last, size_t bytes_max) const = 0;

  // Call it when nothing is waiting: it syncs the durable watermark, which takes milliseconds.
  virtual void OnIdle() = 0;
  virtual bool HasIdleWork() const = 0;
  // What the records take, on disk; a segment is larger by the zeros for those to come.
  virtual uint64_t SizeBytes() const = 0;
};

}  // namespace decree::paxos
