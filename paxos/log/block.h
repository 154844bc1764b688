#pragma once
// A small piece of a file that is written and read as a whole: a body in an envelope of checksum,
// kind, format version and length.
//
// The envelope is the same in every format version, so that damage and a newer format can be told
// apart.

#include <cstdint>
#include <string>
#include <string_view>

#include "paxos/base/status.h"

namespace decree::paxos {

enum class BlockKind : uint32_t {
  kIdentity = 1,
  kPromise = 2,
  kWatermark = 3,
  kSegment = 4,
  kRoster = 5,
};

// The format that this program reads and writes. A log's commands are part of it.
//
//   1  commands and answers of the first versions
//   2  an answer tells of a record by its revision
inline constexpr uint32_t kLogFormatVersion = 2;
// What the envelope adds to a body.
inline constexpr size_t kBlockEnvelopeBytes = 20;
// What a device writes whole or not at all; a block within one sector is never torn.
inline constexpr size_t kSectorBytes = 512;

std::string EncodeBlock(BlockKind kind, std::string_view body, uint32_t version = kLogFormatVersion);
// The body of the block that `bytes` begin with; what follows it is ignored. `where` names the file.
// kDataLoss: damaged; kFailedPrecondition: of another format.
StatusOr<std::string> DecodeBlock(BlockKind kind, std::string_view bytes, const std::string& where);

// kDataLoss that says what to do.
Status DamagedError(const std::string& where, const std::string& what);

}  // namespace decree::paxos
