#include "paxos/core/entry.h"

#include "paxos/base/byte_reader.h"

namespace decree::paxos {
namespace {

// Of an entry with an empty payload, in memory.
constexpr size_t kEntryOverheadBytes = 96;

const char* KindName(EntryKind kind) {
  switch (kind) {
    case EntryKind::kNoOp:
      return "no-op";
    case EntryKind::kCommands:
      return "commands";
    case EntryKind::kConfiguration:
      return "configuration";
  }
  return "?";
}

}  // namespace

size_t EntryBytes(const Entry& entry) { return kEntryOverheadBytes + entry.payload.size(); }

void AppendCommand(std::string& payload, std::string_view command) { PutString(payload, command); }

bool VisitCommands(std::string_view payload,
                   const std::function<void(uint32_t index, std::string_view command)>& visit) {
  ByteReader check(payload);
  while (check.ok() && !check.AtEnd()) check.String();
  if (!check.ok()) return false;

  ByteReader reader(payload);
  for (uint32_t index = 0; !reader.AtEnd(); ++index) visit(index, reader.String());
  return true;
}

std::ostream& operator<<(std::ostream& out, const Entry& entry) {
  return out << KindName(entry.kind) << " of " << entry.proposer << ", " << entry.payload.size()
             << " bytes";
}

}  // namespace decree::paxos
