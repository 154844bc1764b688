#include "rpc/directory_watch.h"

#include <sys/stat.h>

#include <cerrno>

#include "rpc/data_directory.h"

namespace decree::rpc {

DirectoryWatch::DirectoryWatch(const std::string& data) {
  for (const std::string& path : {data, LogPath(data), LogPath(data) + "/identity", StorePath(data)}) {
    struct stat found;
    // A path that cannot be looked at now is not watched.
    if (stat(path.c_str(), &found) != 0) continue;
    watched_.push_back({.path = path, .device = found.st_dev, .inode = found.st_ino});
  }
}

Status DirectoryWatch::Check() const {
  for (const Watched& directory : watched_) {
    struct stat found;
    const bool is_there = stat(directory.path.c_str(), &found) == 0;
    if (is_there && found.st_dev == directory.device && found.st_ino == directory.inode) continue;
    if (!is_there && errno != ENOENT && errno != ENOTDIR) continue;  // The log and the store meet what is wrong.
    return absl::DataLossError(
        StrCat(directory.path, is_there ? ": it was replaced" : ": it was removed",
               " while the node was running; what is written now would not be found again. If the same directory can "
               "be put back, start the node again with it; else replace the node by a new one under another id"));
  }
  return OkStatus();
}

}  // namespace decree::rpc
