// The small files of a log: identity, promise, watermark and roster. Each is read or refused, and what was read is what
// is there when it has been written again.

#include <string>

#include <glog/logging.h>

#include "paxos/base/byte_reader.h"
#include "paxos/log/block.h"
#include "paxos/log/promise_file.h"
#include "paxos/log/roster_file.h"
#include "paxos/log/watermark_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/paxos/log/log_fixture.h"

namespace decree::fuzz {
namespace {

using namespace paxos;  // NOLINT: a test of nothing else

constexpr char kPath[] = "file";

// The bytes, or a block of them with the right checksum, behind the owner's mark or not; then others.
std::string Content(BlockKind kind, Input& input) {
  const uint8_t how = input.Byte();
  if (how % 3 == 0) return std::string(input.rest());
  std::string body;
  if (how % 3 == 1) PutString(body, EncodeOwner(MakeIdentity()));
  body += input.NextPiece();
  std::string block = EncodeBlock(kind, body, (how & 0x80) != 0 ? input.Byte() : kLogFormatVersion);
  if ((how & 0x40) != 0) block.resize(kSectorBytes);
  return block.append(input.rest());
}

void ReadIdentity(Input& input) {
  const StatusOr<LogIdentity> identity = DecodeIdentity(Content(BlockKind::kIdentity, input), kPath);
  if (!identity.ok()) return;
  const StatusOr<LogIdentity> again = DecodeIdentity(EncodeIdentity(*identity), kPath);
  CHECK(again.ok() && *again == *identity) << again.status();
}

void ReadPromise(SimulatedFileSystem& files) {
  StatusOr<PromiseFile> promise = PromiseFile::Open(files, kPath, MakeIdentity());
  if (!promise.ok()) return;
  const Ballot ballot = promise->ballot();
  CHECK(promise->Write(ballot).ok());
  const StatusOr<PromiseFile> again = PromiseFile::Open(files, kPath, MakeIdentity());
  CHECK(again.ok() && again->ballot() == ballot) << again.status();
}

void ReadWatermark(SimulatedFileSystem& files) {
  StatusOr<WatermarkFile> watermark = WatermarkFile::Open(files, kPath, MakeIdentity());
  if (!watermark.ok()) return;
  const Group group = watermark->group();
  CHECK(watermark->Note(group).ok());
  CHECK(watermark->Sync().ok());
  const StatusOr<WatermarkFile> again = WatermarkFile::Open(files, kPath, MakeIdentity());
  CHECK(again.ok() && again->group() == group) << again.status();
}

void ReadTheRoster(SimulatedFileSystem& files) {
  const StatusOr<Roster> roster = ReadRoster(files, kLog, MakeIdentity());
  if (!roster.ok() || roster->empty()) return;
  CHECK(files.Remove(StrCat(kLog, "/", kRosterFileName)).ok());
  CHECK(WriteRoster(files, kLog, MakeIdentity(), *roster).ok());
  const StatusOr<Roster> again = ReadRoster(files, kLog, MakeIdentity());
  CHECK(again.ok() && *again == *roster) << again.status();
}

}  // namespace

void Run(std::string_view bytes) {
  Input input(bytes);
  SimulatedFileSystem files(1);
  CHECK(files.CreateDirectory(kLog).ok());
  switch (input.Byte() % 4) {
    case 0:
      return ReadIdentity(input);
    case 1:
      files.SetContents(kPath, Content(BlockKind::kPromise, input));
      return ReadPromise(files);
    case 2:
      files.SetContents(kPath, Content(BlockKind::kWatermark, input));
      return ReadWatermark(files);
    default:
      files.SetContents(StrCat(kLog, "/", kRosterFileName), Content(BlockKind::kRoster, input));
      return ReadTheRoster(files);
  }
}

}  // namespace decree::fuzz
