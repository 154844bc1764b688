#include "paxos/log/segment.h"

#include <charconv>
#include <cstdio>
#include <utility>

#include "paxos/base/byte_reader.h"
#include "paxos/base/checksum.h"
#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

constexpr std::string_view kSuffix = ".segment";
constexpr size_t kDigits = 12;

std::string EncodeHeader(const LogIdentity& identity, const SegmentHeader& header) {
  std::string body;
  PutString(body, EncodeOwner(identity));
  PutU64(body, header.number);
  PutU64(body, header.first_group.value());
  PutU64(body, header.previous_end);
  return EncodeBlock(BlockKind::kSegment, body);
}

StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view bytes, const LogIdentity& identity, uint64_t number,
                                            const std::string& path) {
  ASSIGN_OR_RETURN(const std::string body, DecodeBlock(BlockKind::kSegment, bytes, path));
  ByteReader reader(body);
  const std::string_view owner = reader.String();
  SegmentHeader header;
  header.number = reader.U64();
  header.first_group = Group(reader.U64());
  header.previous_end = reader.U64();
  if (!reader.AtEnd()) return DamagedError(path, "the fields of its header do not fit");
  RETURN_IF_ERROR(CheckOwner(owner, identity, path));
  if (header.number != number) {
    return DamagedError(path, StrCat("its header says that it is segment ", header.number));
  }
  return header;
}

}  // namespace

std::string Segment::FileName(uint64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof(digits), "%0*llu", static_cast<int>(kDigits), static_cast<unsigned long long>(number));
  return StrCat(digits, std::string(kSuffix));
}

std::optional<uint64_t> Segment::NumberOf(std::string_view file_name) {
  uint64_t number = 0;
  const char* const begin = file_name.data();
  const auto [end, error] = std::from_chars(begin, begin + file_name.size(), number);
  if (error != std::errc() || std::string_view(file_name) != FileName(number)) return std::nullopt;
  return number;
}

Segment::Segment(std::string path, std::unique_ptr<File> file, const LogIdentity& identity, const SegmentHeader& header)
    : path_(std::move(path)),
      file_(std::move(file)),
      header_(header),
      seed_(Checksum(EncodeOwner(identity), header.number)) {}

StatusOr<Segment> Segment::Create(FileSystem& files, const std::string& directory, const LogIdentity& identity,
                                  const SegmentHeader& header) {
  const std::string unfinished = StrCat(directory, "/", kUnfinishedName);
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Create(unfinished));
  std::string bytes = EncodeHeader(identity, header);
  bytes.resize(kSegmentHeaderBytes, '\0');
  RETURN_IF_ERROR(file->Write(0, bytes));
  // Before the name: a file with a segment's name has a whole header, or it is damaged.
  RETURN_IF_ERROR(file->Sync());
  std::string path = StrCat(directory, "/", FileName(header.number));
  RETURN_IF_ERROR(files.Rename(unfinished, path));
  RETURN_IF_ERROR(files.SyncDirectory(directory));
  return Segment(std::move(path), std::move(file), identity, header);
}

StatusOr<bool> Segment::IsUnused(const File& file) {
  ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  ASSIGN_OR_RETURN(const std::string bytes, file.Read(0, static_cast<size_t>(size)));
  return bytes.find_first_not_of('\0', kSegmentHeaderBytes) == std::string::npos;
}

StatusOr<Segment> Segment::Open(FileSystem& files, const std::string& directory, const LogIdentity& identity,
                                uint64_t number) {
  std::string path = StrCat(directory, "/", FileName(number));
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Open(path));
  ASSIGN_OR_RETURN(const std::string bytes, file->Read(0, kSectorBytes));
  ASSIGN_OR_RETURN(const SegmentHeader header, DecodeSegmentHeader(bytes, identity, number, path));
  return Segment(std::move(path), std::move(file), identity, header);
}

Status Segment::Reopen(FileSystem& files) {
  ASSIGN_OR_RETURN(file_, files.Open(path_));
  return OkStatus();
}

}  // namespace decree::paxos
