#pragma once
// A simulated disk for code that no exception may pass through, as LevelDB is: when the process ends in one of its
// operations, this is noted, and from then on operations change nothing and succeed. Whoever called that code
// asks `crashed` when it returns, and throws SimulatedCrash.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "paxos/fs/file_system.h"

namespace decree::check {

class ContainedFileSystem final : public paxos::FileSystem {
 public:
  // `files` must outlive this. `before_change` is called before every change and sync.
  explicit ContainedFileSystem(
      paxos::FileSystem& files, std::function<void()> before_change = [] {})
      : files_(files), before_change_(std::move(before_change)) {}

  bool crashed() const { return crashed_; }

  StatusOr<std::unique_ptr<paxos::File>> Open(const std::string& path) override;
  StatusOr<std::unique_ptr<paxos::File>> Create(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status CreateDirectory(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  StatusOr<std::vector<std::string>> List(const std::string& directory) override { return files_.List(directory); }
  bool Exists(const std::string& path) override { return files_.Exists(path); }
  StatusOr<std::unique_ptr<paxos::FileLock>> Lock(const std::string& path) override { return files_.Lock(path); }

 private:
  class ContainedFile;

  Status Contain(const std::function<Status()>& change);

  paxos::FileSystem& files_;
  const std::function<void()> before_change_;
  bool crashed_ = false;
};

}  // namespace decree::check
