#pragma once
// A node's data directory: `log/` holds the log and names the owner, `store/` holds the state. `decreed init` makes it,
// `decreed serve` opens it.

#include <cstdint>
#include <memory>
#include <string>

#include "paxos/base/status.h"
#include "paxos/fs/file_system.h"
#include "paxos/log/segment_log.h"
#include "rpc/options/server_options.h"

namespace decree::rpc {

std::string LogPath(const std::string& data);
std::string StorePath(const std::string& data);

// Formats `server.data` for one node of a new cluster, durable on return. Refuses a directory that
// holds anything but what a formatting that was cut short has left.
Status FormatDataDirectory(const ServerOptions& server, const InitOptions& init, paxos::FileSystem& files);

// Opens and locks the log. Errors say which directory it is, why it is refused, and what to do.
StatusOr<std::unique_ptr<paxos::SegmentLog>> OpenDataDirectory(const ServerOptions& server, paxos::FileSystem& files);

// A number of the system's generator; never 0.
uint64_t RandomNumber();

}  // namespace decree::rpc
