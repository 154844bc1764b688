#include "paxos/log/roster_file.h"

#include <memory>

#include "paxos/base/byte_reader.h"
#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

std::string RosterPath(const std::string& directory) { return StrCat(directory, "/", kRosterFileName); }

}  // namespace

Status WriteRoster(FileSystem& files, const std::string& directory, const LogIdentity& identity, const Roster& roster) {
  std::string body;
  PutString(body, EncodeOwner(identity));
  PutU32(body, static_cast<uint32_t>(roster.size()));
  for (const auto& [node, incarnation] : roster) {
    PutU32(body, node.value());
    PutU64(body, incarnation.value());
  }
  const std::string new_path = RosterPath(directory) + ".new";
  // A crash may have left half a file.
  if (files.Exists(new_path)) RETURN_IF_ERROR(files.Remove(new_path));
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Create(new_path));
  RETURN_IF_ERROR(file->Write(0, EncodeBlock(BlockKind::kRoster, body)));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(files.Rename(new_path, RosterPath(directory)));
  return files.SyncDirectory(directory);
}

StatusOr<Roster> ReadRoster(FileSystem& files, const std::string& directory, const LogIdentity& identity) {
  const std::string path = RosterPath(directory);
  if (!files.Exists(path)) return Roster();
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Open(path));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  ASSIGN_OR_RETURN(const std::string bytes, file->Read(0, static_cast<size_t>(size)));
  ASSIGN_OR_RETURN(const std::string body, DecodeBlock(BlockKind::kRoster, bytes, path));
  ByteReader reader(body);
  RETURN_IF_ERROR(CheckOwner(reader.String(), identity, path));
  Roster roster;
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    const NodeId node(reader.U32());
    roster.emplace(node, Incarnation(reader.U64()));
  }
  if (!reader.AtEnd() || roster.size() != count) return DamagedError(path, "its fields do not fit");
  return roster;
}

}  // namespace decree::paxos
