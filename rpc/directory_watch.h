#pragma once
// Notices when a node's data directory is taken away from under the running process: removed, replaced, or unmounted
// lazily. Its files stay open and take every write, but nothing of that will be found again. A node that went on to
// vote would promise what it cannot keep.

#include <sys/types.h>

#include <string>
#include <vector>

#include "paxos/base/status.h"

namespace decree::rpc {

class DirectoryWatch {
 public:
  // Remembers what is there now. The directory must be formatted.
  explicit DirectoryWatch(const std::string& data);

  // kDataLoss, with what is gone, when the directory is not the same any more.
  Status Check() const;

 private:
  struct Watched {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
  };

  std::vector<Watched> watched_;
};

}  // namespace decree::rpc
