#include "paxos/log/block.h"

#include "paxos/base/byte_reader.h"
#include "paxos/base/checksum.h"

namespace decree::paxos {
namespace {

// "DCR" and the kind.
uint32_t Magic(BlockKind kind) { return 0x44435200 | static_cast<uint32_t>(kind); }

constexpr uint64_t kBlockSeed = 0x6465637265652e31;

}  // namespace

std::string EncodeBlock(BlockKind kind, std::string_view body, uint32_t version) {
  std::string covered;
  PutU32(covered, Magic(kind));
  PutU32(covered, version);
  PutString(covered, body);
  std::string block;
  PutU64(block, Checksum(covered, kBlockSeed));
  return block + covered;
}

StatusOr<std::string> DecodeBlock(BlockKind kind, std::string_view bytes, const std::string& where) {
  ByteReader reader(bytes);
  const uint64_t checksum = reader.U64();
  const std::string_view covered = reader.rest();
  const uint32_t magic = reader.U32();
  const uint32_t version = reader.U32();
  const std::string_view body = reader.String();
  if (!reader.ok()) return DamagedError(where, "it is cut short");
  if (Checksum(covered.substr(0, covered.size() - reader.rest().size()), kBlockSeed) != checksum) {
    return DamagedError(where, "its checksum is wrong");
  }
  if (magic != Magic(kind)) return DamagedError(where, "it holds something else");
  if (version > kLogFormatVersion) {
    return absl::FailedPreconditionError(StrCat(where, " has format ", version,
                                                ", the newest that this program reads is ", kLogFormatVersion,
                                                "; start a newer decreed on this directory"));
  }
  if (version < kLogFormatVersion) {
    return absl::FailedPreconditionError(
        StrCat(where, " has format ", version,
               ", which this program does not read any more. Start the cluster with the "
               "version that wrote it, write its keys to a file (decree export), and import them into a new one"));
  }
  return std::string(body);
}

Status DamagedError(const std::string& where, const std::string& what) {
  return absl::DataLossError(
      StrCat(where, " is damaged: ", what,
             ". Nothing was changed. This node may have forgotten what it promised and accepted: "
             "restore the exact file, or replace the node by a new one under another id"));
}

}  // namespace decree::paxos
