// A segment of the log as it may be found at start: whole records, records that another program has sealed, and
// anything else. It is read or refused; what is read stays there, and can be gone on with.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glog/logging.h>

#include "paxos/log/segment.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/paxos/log/log_fixture.h"

namespace decree::fuzz {
namespace {

using namespace paxos;  // NOLINT: a test of nothing else

constexpr LogOptions kOptions{.segment_bytes = 16 << 10, .zero_ahead_bytes = 1 << 10};
constexpr size_t kSegmentMax = 64 << 10;

// What the input says is in the segment, from the first record on.
class Writer {
 public:
  Writer(uint64_t seed, Input& input) : seed_(seed), input_(input) {}

  std::string Write() {
    while (!input_.empty() && bytes_.size() < kSegmentMax) WriteNext();
    return bytes_;
  }

 private:
  void WriteNext() {
    const uint8_t what = input_.Byte();
    switch (what % 4) {
      case 0:
        return WriteRecord(what);
      case 1:
        return WriteSealed();
      case 2:
        bytes_ += input_.NextPiece();
        return Align();
      default:
        group_ = Group(group_.value() + input_.Byte());
        index_ = 0;
    }
  }

  void WriteRecord(uint8_t what) {
    const Slot slot(input_.Number(2));
    const Ballot ballot{input_.Number(1), NodeId(1 + input_.Byte() % 3)};
    const EntryPtr entry = MakeEntry(std::string(input_.NextPiece()));
    Record record = ChosenIndexRecord{slot};
    if (what % 3 == 1) record = AcceptedRecord{slot, ballot, entry};
    if (what % 3 == 2) record = ChosenRecord{slot, entry};
    const bool ends_group = (what & 0x40) != 0;
    EncodeRecord(record,
                 {.seed = seed_, .offset = offset(), .group = group_, .index = index_, .ends_group = ends_group},
                 bytes_);
    ++index_;
    if (ends_group) group_ = Group(group_.value() + 1);
    if (ends_group) index_ = 0;
  }

  // Any header and body, with the right checksums.
  void WriteSealed() {
    std::string record(input_.Piece(kRecordHeaderBytes));
    record.resize(kRecordHeaderBytes);
    record += input_.NextPiece();
    record.resize((record.size() + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment);
    SealRecord(seed_, offset(), record.data(), record.size());
    bytes_ += record;
  }

  void Align() { bytes_.resize((bytes_.size() + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment); }
  uint64_t offset() const { return kSegmentHeaderBytes + bytes_.size(); }

  const uint64_t seed_;
  Input& input_;
  std::string bytes_;
  Group group_{1};
  uint32_t index_ = 0;
};

void FillSegment(SimulatedFileSystem& files, Input& input) {
  uint64_t seed = 0;
  {
    const auto segment = Segment::Open(files, kLog, MakeIdentity(), 1);
    CHECK(segment.ok()) << segment.status();
    seed = segment->seed();
  }
  std::string bytes = files.Contents(SegmentPath(1)).substr(0, kSegmentHeaderBytes);
  bytes += Writer(seed, input).Write();
  files.SetContents(SegmentPath(1), std::move(bytes));
}

std::vector<Vote> ReadAll(SegmentLog& log) {
  auto votes = log.Read(Slot(1), Slot(~uint64_t{0} >> 1), size_t{1} << 30);
  CHECK(votes.ok()) << votes.status();
  return *std::move(votes);
}

std::string TextOf(const std::vector<Vote>& votes) {
  std::string text;
  for (const Vote& vote : votes) {
    text += StrCat(vote.slot.value(), vote.chosen ? ":" : "=", vote.ballot.round, ".", vote.ballot.node.value(), " ",
                   vote.entry->payload, "\n");
  }
  return text;
}

}  // namespace

void Run(std::string_view bytes) {
  Input input(bytes);
  SimulatedFileSystem files(1);
  CHECK(SegmentLog::Format(files, kLog, MakeIdentity()).ok());
  FillSegment(files, input);
  auto log = SegmentLog::Open(files, kLog, kOptions);
  if (!log.ok()) return;
  const std::string before = TextOf(ReadAll(**log));
  const Slot next = (*log)->recovered().last_slot.Next();
  if (next.value() == 0) return;  // There is none.
  const RecordBatch batch{.ticket = Ticket(1), .records = {ChosenRecord{next, MakeEntry("newest")}}};
  (*log)->Append({&batch, 1});
  const std::string after = TextOf(ReadAll(**log));
  CHECK_EQ(after, StrCat(before, next.value(), ":0.0 newest\n"));
  log->reset();
  files.LosePower();
  log = SegmentLog::Open(files, kLog, kOptions);
  CHECK(log.ok()) << log.status();
  CHECK_EQ(TextOf(ReadAll(**log)), after);
}

}  // namespace decree::fuzz
