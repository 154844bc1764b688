#pragma once
// The promised ballot on disk, in two checksummed copies of which one is whole at any time.
//
// It lives apart from the log because a promise without a vote is rare and must survive trimming.

#include <cstddef>
#include <memory>
#include <string>

#include "paxos/base/status.h"
#include "paxos/core/protocol/types.h"
#include "paxos/fs/file_system.h"
#include "paxos/log/identity.h"

namespace decree::paxos {

class PromiseFile {
 public:
  // Makes a file that promises nothing, durable but for its name.
  static Status Create(FileSystem& files, const std::string& path, const LogIdentity& identity);
  // Reads the higher valid copy. Errors: the file is missing or somebody else's, or no copy is valid.
  static StatusOr<PromiseFile> Open(FileSystem& files, const std::string& path, const LogIdentity& identity);

  // No copy holds a promise. What cannot be read counts as none: a promise is never without a whole
  // copy.
  static StatusOr<bool> IsUnused(const File& file);

  // The highest ballot in the file.
  Ballot ballot() const { return ballot_; }
  // Writes and syncs one copy, then the other; on return both are durable.
  Status Write(Ballot ballot);

  const std::string& path() const { return path_; }

 private:
  PromiseFile(std::string path, std::string owner, std::unique_ptr<File> file)
      : path_(std::move(path)), owner_(std::move(owner)), file_(std::move(file)) {}

  std::string path_;
  std::string owner_;
  std::unique_ptr<File> file_;
  Ballot ballot_;
  // The copy that holds `ballot_` for certain; the other is written first.
  size_t good_copy_ = 1;
};

}  // namespace decree::paxos
