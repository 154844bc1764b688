#pragma once
// One file of the log: a header of its own sector, then groups of records, then zeros.
//
// A segment's header says where the valid part of the one before it ends. So what recovery has cut
// off stays cut off, and every segment but the last can be verified to its last byte.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "paxos/base/status.h"
#include "paxos/fs/file_system.h"
#include "paxos/log/identity.h"
#include "paxos/log/record_codec.h"

namespace decree::paxos {

// The offset at which the first record of a segment begins.
inline constexpr uint64_t kSegmentHeaderBytes = 4096;

struct SegmentHeader {
  uint64_t number = 0;        // 1 for a log's first segment, then without gaps
  Group first_group;          // of this segment; higher than any before, also than those cut off
  uint64_t previous_end = 0;  // where the records of the segment before end; 0 for the first
};

class Segment {
 public:
  static std::string FileName(uint64_t number);
  // Nothing if the name is not a segment's.
  static std::optional<uint64_t> NumberOf(std::string_view file_name);

  // What a segment is called while it is made; a file of this name may be removed.
  static constexpr char kUnfinishedName[] = "segment.new";

  // Makes the segment, durable on return.
  static StatusOr<Segment> Create(FileSystem& files, const std::string& directory, const LogIdentity& identity,
                                  const SegmentHeader& header);
  // Opens the segment and checks its header.
  static StatusOr<Segment> Open(FileSystem& files, const std::string& directory, const LogIdentity& identity,
                                uint64_t number);

  // The file holds no record, nor ever did.
  static StatusOr<bool> IsUnused(const File& file);

  const SegmentHeader& header() const { return header_; }
  // All its checksums are seeded with it; no two segments have the same.
  uint64_t seed() const { return seed_; }
  const std::string& path() const { return path_; }
  // There while it is open, as it is at first.
  File& file() const { return *file_; }
  bool is_open() const { return file_ != nullptr; }
  void Close() { file_.reset(); }
  Status Reopen(FileSystem& files);

 private:
  Segment(std::string path, std::unique_ptr<File> file, const LogIdentity& identity, const SegmentHeader& header);

  std::string path_;
  std::unique_ptr<File> file_;
  SegmentHeader header_;
  uint64_t seed_;
};

}  // namespace decree::paxos
