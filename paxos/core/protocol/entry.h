#pragma once
// What a slot holds: a batch of commands, a no-op, or a configuration.
//
// Entries are immutable and shared, so that one copy of the bytes serves the log, every peer and the
// state machine.

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/core/protocol/types.h"

namespace decree::paxos {

enum class EntryKind : uint8_t {
  kNoOp = 1,           // Fills a hole; no payload.
  kCommands = 2,       // The payload is a batch made by AppendCommand.
  kConfiguration = 3,  // The payload is an encoded Configuration.
};

struct Entry {
  EntryKind kind = EntryKind::kNoOp;
  // The ballot under which this value was first proposed. A proposer gives one value to a slot, so
  // (slot, proposer) names the value: whoever put a command in a slot can tell from it whether
  // what was chosen there is its own. It stays when another leader proposes the value again.
  Ballot proposer;
  // Never below that of an earlier slot, except that a no-op in a hole has none (0).
  LogTime log_time;
  std::string payload;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// No entry's log time is above this. More than a century.
inline constexpr LogTime kLogTimeMax{uint64_t{1} << 62};

using EntryPtr = std::shared_ptr<const Entry>;

// What an entry weighs against limits and in memory, in bytes.
size_t EntryBytes(const Entry& entry);

// Adds `command` to the payload of a kCommands entry.
void AppendCommand(std::string& payload, std::string_view command);
// The commands of a payload, in order; they point into it. Nothing if the payload is malformed.
std::optional<std::vector<std::string_view>> SplitCommands(std::string_view payload);

std::ostream& operator<<(std::ostream& out, const Entry& entry);

}  // namespace decree::paxos
