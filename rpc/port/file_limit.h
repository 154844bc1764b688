#pragma once
// How many files, connections among them, this process may have open, and how they are shared out. If the log or
// LevelDB could open none, the node would end; so clients have what the others leave.

#include <cstddef>
#include <cstdint>

#include "paxos/base/status.h"

namespace decree::rpc {

// Raises the process's limit as far as it may go, and returns it. Call it before LevelDB is used, which looks once.
uint64_t RaiseFileLimit();

struct FileShares {
  uint64_t limit = 0;
  int store = 0;       // LevelDB's files
  size_t peers = 0;    // connections that other nodes have here; as many lead to them
  size_t clients = 0;  // clients' connections
};

// Gives as many files and connections as the options ask for, if the limit allows it. An error says how many it takes.
StatusOr<FileShares> ShareFiles(uint64_t limit, int store_wanted, size_t clients_wanted);

}  // namespace decree::rpc
