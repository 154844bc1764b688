#include "paxos/core/protocol/entry_check.h"

#include "paxos/core/protocol/membership.h"

namespace decree::paxos {
namespace {

Status Wrong(const char* what) { return absl::InvalidArgumentError(what); }

}  // namespace

Status CheckEntry(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::kNoOp:
      return entry.payload.empty() ? OkStatus() : Wrong("a no-op has a payload");
    case EntryKind::kCommands:
      return SplitCommands(entry.payload).has_value() ? OkStatus() : Wrong("it is not a batch of commands");
    case EntryKind::kConfiguration:
      return Configuration::Decode(entry.payload).ok() ? OkStatus() : Wrong("it is not a configuration");
  }
  return Wrong("its kind is unknown");
}

}  // namespace decree::paxos
