#include "paxos/log/segment_log.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"
#include "paxos/log/block.h"
#include "paxos/log/promise_file.h"
#include "paxos/log/roster_file.h"
#include "paxos/log/segment.h"
#include "paxos/log/segment_scan.h"
#include "paxos/log/slot_index.h"
#include "paxos/log/watermark_file.h"

namespace decree::paxos {
namespace {

// How many segments are open at once beside the last: those that were opened last. A log may have more segments than a
// process may have files open.
constexpr size_t kReadSegmentsMax = 8;

std::string LockPath(const std::string& path) { return path + "/lock"; }
std::string IdentityPath(const std::string& path) { return path + "/identity"; }
std::string NewIdentityPath(const std::string& path) { return path + "/identity.new"; }
std::string PromisePath(const std::string& path) { return path + "/promise"; }
std::string WatermarkPath(const std::string& path) { return path + "/watermark"; }

// A write or sync that fails leaves the log in a state that nobody knows.
void Require(const Status& status) {
  if (!status.ok()) {
    LOG(FATAL) << "the log cannot be written: " << status.message()
               << ". The process ends; start it again when the disk is well";
  }
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class FileSegmentLog final : public SegmentLog {
 public:
  FileSegmentLog(FileSystem& files, const std::string& path, const LogOptions& options, std::unique_ptr<FileLock> lock,
                 LogIdentity identity, PromiseFile promise, WatermarkFile watermark)
      : files_(files),
        path_(path),
        options_(options),
        lock_(std::move(lock)),
        identity_(std::move(identity)),
        promise_(std::move(promise)),
        watermark_(std::move(watermark)) {}

  // Reads everything there is. To be called once, first.
  Status Recover();

  const LogIdentity& identity() const override { return identity_; }
  const RecoveredLog& recovered() const override { return recovered_; }
  void Append(std::span<const RecordBatch> batches) override;
  StatusOr<std::vector<Vote>> Read(Slot first, Slot last, size_t bytes_max) override;
  Slot TailStart(Slot last, size_t bytes_max) const override;
  void OnIdle() override;
  bool HasIdleWork() const override { return !watermark_.IsSynced(); }
  uint64_t SizeBytes() const override { return earlier_bytes_ + end_; }

 private:
  Status OpenSegments();
  Status ScanSegments();
  Status NoteRecord(size_t segment, const ScannedRecord& record);
  Status WriteRecovered();

  void StartSegment();
  void WriteGroup(const std::vector<const Record*>& records, uint64_t bytes);
  StatusOr<Vote> ReadRecord(Slot slot, const RecordPosition& position);
  // Opens the segment if it is closed, and closes another for it.
  Status MakeReadable(size_t segment);
  // The segment is open, and not written to any more.
  void NoteRead(size_t segment);

  FileSystem& files_;
  const std::string path_;
  const LogOptions options_;
  const std::unique_ptr<FileLock> lock_;
  const LogIdentity identity_;
  PromiseFile promise_;
  WatermarkFile watermark_;
  RecoveredLog recovered_;

  std::vector<Segment> segments_;     // never empty; the last is written to, and open
  std::deque<size_t> read_segments_;  // of those before, the ones that are open
  SlotIndex index_;
  uint64_t end_ = 0;                // where the next record goes in the last segment
  uint64_t file_end_ = 0;           // of the last segment: zeros up to there
  uint64_t earlier_bytes_ = 0;      // of all segments before
  Group last_group_;                // the newest durable one
  Group next_group_;                // higher by one, or by more if a group was cut off
  bool needs_new_segment_ = false;  // a torn write lies behind `end_`
};

// ---- Recovery ----

Status FileSegmentLog::Recover() {
  RETURN_IF_ERROR(OpenSegments());
  RETURN_IF_ERROR(ScanSegments());
  if (!IsPlanted(PlantedBug::kPromiseForgottenAtStart)) {
    recovered_.promised = std::max(recovered_.promised, promise_.ballot());
  }
  ASSIGN_OR_RETURN(recovered_.roster, ReadRoster(files_, path_, identity_));
  recovered_.first_slot = index_.first();
  recovered_.last_slot = index_.last();
  recovered_.torn_tail = needs_new_segment_;
  return WriteRecovered();
}

Status FileSegmentLog::OpenSegments() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    if (const auto number = Segment::NumberOf(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  if (numbers.empty()) return DamagedError(path_, "it has no segment");
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != i + 1) {
      return DamagedError(StrCat(path_, "/", Segment::FileName(i + 1)), "it is missing");
    }
    ASSIGN_OR_RETURN(Segment segment, Segment::Open(files_, path_, identity_, numbers[i]));
    if (!segments_.empty()) segments_.back().Close();
    segments_.push_back(std::move(segment));
  }
  return OkStatus();
}

Status FileSegmentLog::ScanSegments() {
  Group& last = last_group_;
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    const SegmentHeader& next = segments_[i + 1].header();
    RETURN_IF_ERROR(MakeReadable(i));
    RETURN_IF_ERROR(ScanWholeSegment(
        segments_[i], next.previous_end, next.first_group,
        [&](const ScannedRecord& record) { return NoteRecord(i, record); }, last));
    earlier_bytes_ += next.previous_end;
  }
  const size_t tail_segment = segments_.size() - 1;
  ASSIGN_OR_RETURN(const TailScan tail,
                   ScanLastSegment(
                       segments_.back(), watermark_.group(),
                       [&](const ScannedRecord& record) { return NoteRecord(tail_segment, record); }, last));
  end_ = tail.end;
  ASSIGN_OR_RETURN(file_end_, segments_.back().file().Size());
  next_group_ = tail.next_group;
  needs_new_segment_ = tail.torn;
  return OkStatus();
}

Status FileSegmentLog::NoteRecord(size_t segment, const ScannedRecord& record) {
  const RecordHeader& header = record.header;
  recovered_.promised = std::max(recovered_.promised, header.ballot);
  if (header.type == RecordType::kChosenIndex) {
    recovered_.chosen_index = std::max(recovered_.chosen_index, header.slot);
  } else {
    index_.Set(header.slot, {.segment = static_cast<uint32_t>(segment),
                             .bytes = static_cast<uint32_t>(header.RecordBytes()),
                             .offset = record.offset});
  }
  return OkStatus();
}

Status FileSegmentLog::WriteRecovered() {
  RETURN_IF_ERROR(promise_.Write(recovered_.promised));
  if (last_group_ > watermark_.group()) RETURN_IF_ERROR(watermark_.Note(last_group_));
  return watermark_.Sync();
}

// ---- Writing ----

void FileSegmentLog::Append(std::span<const RecordBatch> batches) {
  Ballot promised;
  std::vector<const Record*> records;
  uint64_t bytes = 0;
  for (const RecordBatch& batch : batches) {
    for (const Record& record : batch.records) {
      if (BelongsInLog(record)) {
        records.push_back(&record);
        bytes += EncodedBytes(record);
      } else if (const auto* const roster = std::get_if<RosterRecord>(&record)) {
        Require(WriteRoster(files_, path_, identity_, roster->incarnations));
      } else {
        promised = std::max(promised, std::get<PromisedRecord>(record).ballot);
      }
    }
  }
  if (promised > promise_.ballot()) Require(promise_.Write(promised));
  if (!records.empty()) WriteGroup(records, bytes);
}

void FileSegmentLog::WriteGroup(const std::vector<const Record*>& records, uint64_t bytes) {
  const bool is_full = end_ + bytes > options_.segment_bytes && end_ > kSegmentHeaderBytes;
  if (needs_new_segment_ || is_full) StartSegment();

  const Segment& segment = segments_.back();
  const uint64_t start = end_;
  std::string group;
  group.reserve(static_cast<size_t>(bytes));
  for (size_t i = 0; i < records.size(); ++i) {
    EncodeRecord(*records[i],
                 {.seed = segment.seed(),
                  .offset = start + group.size(),
                  .group = next_group_,
                  .index = static_cast<uint32_t>(i),
                  .ends_group = i + 1 == records.size()},
                 group);
  }
  CHECK_EQ(group.size(), bytes);
  if (start + bytes > file_end_) {
    // A sync of a file that has grown writes its metadata too, and takes half as long again. So it grows
    // by more than this group, in zeros for those to come.
    file_end_ = std::max(start + bytes, std::min(start + bytes + options_.zero_ahead_bytes, options_.segment_bytes));
    group.resize(static_cast<size_t>(file_end_ - start), '\0');
  }
  Require(segment.file().Write(start, group));
  Require(segment.file().Sync());

  for (uint64_t at = start; const Record* const record : records) {
    const uint64_t record_bytes = EncodedBytes(*record);
    if (!std::holds_alternative<ChosenIndexRecord>(*record)) {
      index_.Set(SlotOf(*record), {.segment = static_cast<uint32_t>(segments_.size() - 1),
                                   .bytes = static_cast<uint32_t>(record_bytes),
                                   .offset = at});
    }
    at += record_bytes;
  }
  end_ += bytes;
  last_group_ = next_group_;
  Require(watermark_.Note(last_group_));
  next_group_ = Group(next_group_.value() + 1);
}

void FileSegmentLog::StartSegment() {
  StatusOr<Segment> made = Segment::Create(
      files_, path_, identity_,
      {.number = segments_.back().header().number + 1, .first_group = next_group_, .previous_end = end_});
  Require(made.status());
  NoteRead(segments_.size() - 1);
  segments_.push_back(*std::move(made));
  earlier_bytes_ += end_;
  end_ = kSegmentHeaderBytes;
  file_end_ = kSegmentHeaderBytes;
  needs_new_segment_ = false;
}

void FileSegmentLog::OnIdle() {
  if (!watermark_.IsSynced()) Require(watermark_.Sync());
}

// ---- Reading ----

StatusOr<std::vector<Vote>> FileSegmentLog::Read(Slot first, Slot last, size_t bytes_max) {
  std::vector<Vote> votes;
  size_t bytes = 0;
  for (Slot slot = index_.NextAt(first); slot != kNoSlot && slot <= last && bytes < bytes_max;
       slot = index_.NextAt(Slot(slot.value() + 1))) {
    const RecordPosition& position = *index_.Find(slot);
    if (!votes.empty() && bytes + position.bytes > bytes_max) break;
    ASSIGN_OR_RETURN(Vote vote, ReadRecord(slot, position));
    bytes += position.bytes;
    votes.push_back(std::move(vote));
  }
  return votes;
}

Slot FileSegmentLog::TailStart(Slot last, size_t bytes_max) const {
  Slot start = last.Next();
  for (size_t bytes = 0; start > Slot(1); start = start.Previous()) {
    const RecordPosition* const position = index_.Find(start.Previous());
    if (position == nullptr || bytes + position->bytes > bytes_max) break;
    bytes += position->bytes;
  }
  return start;
}

Status FileSegmentLog::MakeReadable(size_t segment) {
  if (segments_[segment].is_open()) return OkStatus();
  RETURN_IF_ERROR(segments_[segment].Reopen(files_));
  NoteRead(segment);
  return OkStatus();
}

void FileSegmentLog::NoteRead(size_t segment) {
  read_segments_.push_back(segment);
  if (read_segments_.size() <= kReadSegmentsMax) return;
  segments_[read_segments_.front()].Close();
  read_segments_.pop_front();
}

StatusOr<Vote> FileSegmentLog::ReadRecord(Slot slot, const RecordPosition& position) {
  RETURN_IF_ERROR(MakeReadable(position.segment));
  const Segment& segment = segments_[position.segment];
  const std::string where = StrCat(segment.path(), " at offset ", position.offset);
  ASSIGN_OR_RETURN(const std::string bytes, segment.file().Read(position.offset, position.bytes));
  const auto header = DecodeHeader(bytes, segment.seed(), position.offset);
  if (!header || header->slot != slot || header->RecordBytes() != position.bytes) {
    return DamagedError(where, StrCat("the record of slot ", slot.value(), " is not there"));
  }
  const std::string_view body = std::string_view(bytes).substr(kRecordHeaderBytes);
  if (!IsBodyIntact(*header, body, segment.seed(), position.offset)) {
    return DamagedError(where, StrCat("the checksum of slot ", slot.value(), " is wrong"));
  }
  return DecodeVote(*header, body.substr(0, header->body_bytes));
}

// ---- Formatting and opening ----

// What a format that was cut short may have left; it wrote neither a promise nor a record.
Status RemoveUnfinishedFormat(FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  const std::string first_segment = Segment::FileName(1);
  for (const std::string& name : names) {
    const std::string file_path = StrCat(path, "/", name);
    if (name == "identity") {
      return absl::FailedPreconditionError(StrCat(path,
                                                  " is formatted already; give another "
                                                  "directory, or start decreed on this one"));
    }
    if (name != "identity.new" && name != "promise" && name != "watermark" && name != Segment::kUnfinishedName &&
        name != first_segment) {
      return absl::FailedPreconditionError(
          StrCat(path, " is not empty: it holds ", name, "; give an empty directory, or a new one"));
    }
    if (name != "promise" && name != first_segment) continue;
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Open(file_path));
    ASSIGN_OR_RETURN(const bool is_unused, name == "promise" ? PromiseFile::IsUnused(*file) : Segment::IsUnused(*file));
    if (is_unused) continue;
    return absl::FailedPreconditionError(
        StrCat(file_path, " is in use, though ", IdentityPath(path),
               " is missing: this node may "
               "have promised and accepted; restore that file, or give another directory"));
  }
  for (const std::string& name : names) RETURN_IF_ERROR(files.Remove(StrCat(path, "/", name)));
  return OkStatus();
}

// What is read at start may be in the page cache only: the process died and had not synced it, or a
// sync had failed and the kernel calls the page clean. Others will rely on it, so it is put on the
// device, and what follows is read from there.
Status SyncBeforeReading(FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  for (const std::string& name : names) {
    if (name != "promise" && name != kRosterFileName && !Segment::NumberOf(name)) continue;
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Open(StrCat(path, "/", name)));
    RETURN_IF_ERROR(file->Sync());
    RETURN_IF_ERROR(file->DropCache());
  }
  RETURN_IF_ERROR(files.SyncDirectory(path));
  return files.SyncDirectory(ParentOf(path));
}

}  // namespace

Status SegmentLog::Format(FileSystem& files, const std::string& path, const LogIdentity& identity) {
  RETURN_IF_ERROR(ValidateIdentity(identity));
  RETURN_IF_ERROR(files.CreateDirectory(path));
  RETURN_IF_ERROR(RemoveUnfinishedFormat(files, path));
  RETURN_IF_ERROR(PromiseFile::Create(files, PromisePath(path), identity));
  RETURN_IF_ERROR(WatermarkFile::Create(files, WatermarkPath(path), identity));
  const SegmentHeader first{.number = 1, .first_group = Group(1), .previous_end = 0};
  RETURN_IF_ERROR(Segment::Create(files, path, identity, first).status());

  // The identity comes last: a directory that has one is complete.
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Create(NewIdentityPath(path)));
  RETURN_IF_ERROR(file->Write(0, EncodeIdentity(identity)));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(files.Rename(NewIdentityPath(path), IdentityPath(path)));
  RETURN_IF_ERROR(files.SyncDirectory(path));
  return files.SyncDirectory(ParentOf(path));
}

StatusOr<LogIdentity> SegmentLog::ReadIdentity(FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Open(IdentityPath(path)));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  ASSIGN_OR_RETURN(const std::string bytes, file->Read(0, static_cast<size_t>(size)));
  return DecodeIdentity(bytes, IdentityPath(path));
}

StatusOr<std::unique_ptr<SegmentLog>> SegmentLog::Open(FileSystem& files, const std::string& path,
                                                       const LogOptions& options) {
  ASSIGN_OR_RETURN(LogIdentity identity, ReadIdentity(files, path));
  ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, files.Lock(LockPath(path)));
  const std::string unfinished = StrCat(path, "/", Segment::kUnfinishedName);
  if (files.Exists(unfinished)) RETURN_IF_ERROR(files.Remove(unfinished));
  RETURN_IF_ERROR(SyncBeforeReading(files, path));
  ASSIGN_OR_RETURN(PromiseFile promise, PromiseFile::Open(files, PromisePath(path), identity));
  ASSIGN_OR_RETURN(WatermarkFile watermark, WatermarkFile::Open(files, WatermarkPath(path), identity));
  auto log = std::make_unique<FileSegmentLog>(files, path, options, std::move(lock), std::move(identity),
                                              std::move(promise), std::move(watermark));
  RETURN_IF_ERROR(log->Recover());
  return std::unique_ptr<SegmentLog>(std::move(log));
}

}  // namespace decree::paxos
