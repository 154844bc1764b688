#include "paxos/log/watermark_file.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/byte_reader.h"
#include "paxos/base/rare_case.h"
#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

StatusOr<Group> ReadGroup(const File& file, const std::string& path, const LogIdentity& identity) {
  ASSIGN_OR_RETURN(const std::string bytes, file.Read(0, kSectorBytes));
  ASSIGN_OR_RETURN(const std::string body, DecodeBlock(BlockKind::kWatermark, bytes, path));
  ByteReader reader(body);
  const std::string_view owner = reader.String();
  const Group group(reader.U64());
  if (!reader.AtEnd()) return DamagedError(path, "its fields do not fit");
  RETURN_IF_ERROR(CheckOwner(owner, identity, path));
  return group;
}

}  // namespace

Status WatermarkFile::Create(FileSystem& files, const std::string& path, const LogIdentity& identity) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Create(path));
  WatermarkFile watermark(path, EncodeOwner(identity), std::move(file));
  RETURN_IF_ERROR(watermark.Note(Group()));
  return watermark.Sync();
}

StatusOr<WatermarkFile> WatermarkFile::Open(FileSystem& files, const std::string& path, const LogIdentity& identity) {
  if (!files.Exists(path)) {
    LOG(WARNING) << path << " is missing and is made anew; a torn write and a damaged record at "
                 << "the end of the log cannot be told apart this time";
    RETURN_IF_ERROR(Create(files, path, identity));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Open(path));
  WatermarkFile watermark(path, EncodeOwner(identity), std::move(file));
  const StatusOr<Group> group = ReadGroup(*watermark.file_, path, identity);
  if (absl::IsFailedPrecondition(group.status())) return group.status();
  if (group.ok()) {
    watermark.group_ = *group;
  } else {
    RARE_CASE("the watermark was unreadable at start");
  }
  return watermark;
}

Status WatermarkFile::Note(Group group) {
  CHECK_GE(group, group_);
  std::string body;
  PutString(body, owner_);
  PutU64(body, group.value());
  RETURN_IF_ERROR(file_->Write(0, EncodeBlock(BlockKind::kWatermark, body)));
  group_ = group;
  synced_ = false;
  return OkStatus();
}

Status WatermarkFile::Sync() {
  RETURN_IF_ERROR(file_->Sync());
  synced_ = true;
  return OkStatus();
}

}  // namespace decree::paxos
