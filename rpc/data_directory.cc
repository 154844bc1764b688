#include "rpc/data_directory.h"

#include <sys/random.h>

#include <filesystem>
#include <utility>

#include <glog/logging.h>

namespace decree::rpc {
namespace {

namespace fs = std::filesystem;

template <typename... Parts>
Status Refuse(const Parts&... parts) {
  return absl::FailedPreconditionError(StrCat(parts...));
}

// Makes the directory and those above it; their names are durable on return.
Status CreateDirectories(const fs::path& path, paxos::FileSystem& files) {
  if (path.empty() || files.Exists(path.string())) return OkStatus();
  const fs::path parent = path.parent_path();
  RETURN_IF_ERROR(CreateDirectories(parent, files));
  RETURN_IF_ERROR(files.CreateDirectory(path.string()));
  return files.SyncDirectory(parent.empty() ? "." : parent.string());
}

// An error that names the owner if the directory is formatted.
Status CheckNotFormatted(const std::string& data, paxos::FileSystem& files) {
  const auto identity = paxos::SegmentLog::ReadIdentity(files, LogPath(data));
  if (!identity.ok()) return OkStatus();
  return Refuse(data, ": it is formatted already, for node ", identity->node.value(), " of cluster \"",
                identity->cluster,
                "\". A node must never be formatted twice: it would forget what it has promised. "
                "Start it with `decreed serve`, or give another directory");
}

}  // namespace

std::string LogPath(const std::string& data) { return data + "/log"; }
std::string StorePath(const std::string& data) { return data + "/store"; }

Status FormatDataDirectory(const ServerOptions& server, const InitOptions& init, paxos::FileSystem& files) {
  const std::string& data = server.data;
  ASSIGN_OR_RETURN(paxos::Configuration founding, init.FoundingConfiguration());
  const paxos::NodeId node(server.node);
  if (founding.Find(node) == nullptr) {
    return absl::InvalidArgumentError(StrCat("--node: ", server.node, " is none of the members given with --member"));
  }
  RETURN_IF_ERROR(server.core.ValidateWith(founding));
  RETURN_IF_ERROR(CheckNotFormatted(data, files));
  if (files.Exists(data)) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(data));
    if (!names.empty() && names != std::vector<std::string>{"log"}) {
      return Refuse(data, ": the directory holds ", names.size(), " files (such as ", names.front(),
                    ") that decreed did not make; give an empty one, or one that does not exist");
    }
  }
  RETURN_IF_ERROR(CreateDirectories(fs::path(data).lexically_normal(), files));
  const paxos::LogIdentity identity{.cluster = server.cluster,
                                    .node = node,
                                    .incarnation = paxos::Incarnation(RandomNumber()),
                                    .founding = std::move(founding)};
  RETURN_IF_ERROR(paxos::SegmentLog::Format(files, LogPath(data), identity));
  return files.SyncDirectory(data);
}

StatusOr<std::unique_ptr<paxos::SegmentLog>> OpenDataDirectory(const ServerOptions& server, paxos::FileSystem& files) {
  const std::string& data = server.data;
  const auto found = paxos::SegmentLog::ReadIdentity(files, LogPath(data));
  if (absl::IsNotFound(found.status())) {
    return Refuse(data,
                  ": the directory is not formatted. For a new node run `decreed init` first; "
                  "a node that has lost its disk may not come back under its old id");
  }
  RETURN_IF_ERROR(found.status());
  if (!server.cluster.empty() && found->cluster != server.cluster) {
    return Refuse(data, ": the directory belongs to cluster \"", found->cluster,
                  "\", and --cluster "
                  "is \"",
                  server.cluster, "\"; give the directory of that cluster's node");
  }
  if (server.node != 0 && found->node.value() != server.node) {
    return Refuse(data, ": the directory belongs to node ", found->node.value(), ", and --node is ", server.node,
                  "; give the directory of that node");
  }
  return paxos::SegmentLog::Open(files, LogPath(data), server.log);
}

uint64_t RandomNumber() {
  uint64_t number = 0;
  while (number == 0) {
    PCHECK(getrandom(&number, sizeof(number), 0) == sizeof(number));
  }
  return number;
}

}  // namespace decree::rpc
