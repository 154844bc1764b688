#include "paxos/log/promise_file.h"

#include <array>
#include <utility>

#include "paxos/base/byte_reader.h"
#include "paxos/base/rare_case.h"
#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

// Far enough apart that one bad page takes one copy only.
constexpr std::array<uint64_t, 2> kCopyOffsets = {0, 4096};

std::string EncodeCopy(const std::string& owner, Ballot ballot) {
  std::string body;
  PutString(body, owner);
  PutU64(body, ballot.round);
  PutU32(body, ballot.node.value());
  return EncodeBlock(BlockKind::kPromise, body);
}

struct Copy {
  std::string owner;
  Ballot ballot;
};

StatusOr<Copy> ReadCopy(const File& file, size_t number, const std::string& where) {
  ASSIGN_OR_RETURN(const std::string bytes, file.Read(kCopyOffsets[number], kSectorBytes));
  ASSIGN_OR_RETURN(const std::string body, DecodeBlock(BlockKind::kPromise, bytes, where));
  ByteReader reader(body);
  Copy copy;
  copy.owner = std::string(reader.String());
  copy.ballot.round = reader.U64();
  copy.ballot.node = NodeId(reader.U32());
  if (!reader.AtEnd()) return DamagedError(where, "its fields do not fit");
  return copy;
}

}  // namespace

Status PromiseFile::Create(FileSystem& files, const std::string& path, const LogIdentity& identity) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Create(path));
  PromiseFile promise(path, EncodeOwner(identity), std::move(file));
  return promise.Write(Ballot());
}

StatusOr<PromiseFile> PromiseFile::Open(FileSystem& files, const std::string& path, const LogIdentity& identity) {
  if (!files.Exists(path)) return DamagedError(path, "it is missing");
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Open(path));
  PromiseFile promise(path, EncodeOwner(identity), std::move(file));
  bool any = false;
  for (const size_t copy : {size_t{0}, size_t{1}}) {
    const std::string where = StrCat(path, " copy ", copy + 1);
    const StatusOr<Copy> found = ReadCopy(*promise.file_, copy, where);
    if (absl::IsFailedPrecondition(found.status())) return found.status();
    if (!found.ok()) {
      RARE_CASE("one copy of the promise file was unreadable");
      continue;
    }
    RETURN_IF_ERROR(CheckOwner(found->owner, identity, where));
    if (!any || found->ballot >= promise.ballot_) {
      promise.ballot_ = found->ballot;
      promise.good_copy_ = copy;
    }
    any = true;
  }
  if (!any) return DamagedError(path, "neither of its two copies can be read");
  return promise;
}

StatusOr<bool> PromiseFile::IsUnused(const File& file) {
  for (const size_t number : {size_t{0}, size_t{1}}) {
    const StatusOr<Copy> found = ReadCopy(file, number, "promise");
    if (absl::IsDataLoss(found.status())) continue;
    RETURN_IF_ERROR(found.status());
    if (!found->ballot.IsNone()) return false;
  }
  return true;
}

Status PromiseFile::Write(Ballot ballot) {
  const std::string bytes = EncodeCopy(owner_, ballot);
  for (const size_t copy : {1 - good_copy_, good_copy_}) {
    RETURN_IF_ERROR(file_->Write(kCopyOffsets[copy], bytes));
    RETURN_IF_ERROR(file_->Sync());
  }
  ballot_ = ballot;
  good_copy_ = 1;
  return OkStatus();
}

}  // namespace decree::paxos
