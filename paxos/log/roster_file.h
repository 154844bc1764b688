#pragma once
// The incarnations of the first members, in a file of its own (rule 10). There is none before they have
// met; afterwards it never changes.

#include <string>

#include "paxos/base/status.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/fs/file_system.h"
#include "paxos/log/identity.h"

namespace decree::paxos {

inline constexpr char kRosterFileName[] = "roster";

// Durable on return.
Status WriteRoster(FileSystem& files, const std::string& directory, const LogIdentity& identity, const Roster& roster);
// Empty if there is none. Errors: the file is damaged, or somebody else's.
StatusOr<Roster> ReadRoster(FileSystem& files, const std::string& directory, const LogIdentity& identity);

}  // namespace decree::paxos
