#include "paxos/core/protocol/entry.h"

#include "paxos/base/byte_reader.h"

namespace decree::paxos {
namespace {

// What an entry with an empty payload takes in memory.
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

std::optional<std::vector<std::string_view>> SplitCommands(std::string_view payload) {
  std::vector<std::string_view> commands;
  ByteReader reader(payload);
  while (reader.ok() && !reader.AtEnd()) commands.push_back(reader.String());
  if (!reader.ok()) return std::nullopt;
  return commands;
}

std::ostream& operator<<(std::ostream& out, const Entry& entry) {
  return out << KindName(entry.kind) << " of " << entry.proposer << ", " << entry.payload.size() << " bytes";
}

}  // namespace decree::paxos
