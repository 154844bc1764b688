#pragma once
// The durable watermark: the newest group of the log known to be synced.
//
// Damage at or below it cannot be a torn write. It is noted without a sync of its own, and synced
// when the log falls idle, so after a power loss it may be old; it is never ahead of the log.

#include <memory>
#include <string>

#include "paxos/base/status.h"
#include "paxos/fs/file_system.h"
#include "paxos/log/identity.h"
#include "paxos/log/record_codec.h"

namespace decree::paxos {

class WatermarkFile {
 public:
  static Status Create(FileSystem& files, const std::string& path, const LogIdentity& identity);
  // What cannot be read counts as 0, and a missing file is made anew.
  static StatusOr<WatermarkFile> Open(FileSystem& files, const std::string& path, const LogIdentity& identity);

  Group group() const { return group_; }
  // `group` is durable in the log.
  Status Note(Group group);
  bool IsSynced() const { return synced_; }
  Status Sync();

  const std::string& path() const { return path_; }

 private:
  WatermarkFile(std::string path, std::string owner, std::unique_ptr<File> file)
      : path_(std::move(path)), owner_(std::move(owner)), file_(std::move(file)) {}

  std::string path_;
  std::string owner_;
  std::unique_ptr<File> file_;
  Group group_;
  bool synced_ = true;
};

}  // namespace decree::paxos
