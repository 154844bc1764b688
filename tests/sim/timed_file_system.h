#pragma once
// Gives a file system's syncs a say before they are carried out: they take time, and may be the
// moment at which everything ends.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "paxos/log/file_system.h"

namespace decree::sim {

class TimedFileSystem final : public paxos::FileSystem {
 public:
  // `before_sync` is called before every sync of a directory, or of a file that was written to.
  // `files` must outlive this.
  TimedFileSystem(paxos::FileSystem& files, std::function<void()> before_sync)
      : files_(files), before_sync_(std::move(before_sync)) {}

  StatusOr<std::unique_ptr<paxos::File>> Open(const std::string& path) override {
    return Wrap(files_.Open(path));
  }
  StatusOr<std::unique_ptr<paxos::File>> Create(const std::string& path) override {
    return Wrap(files_.Create(path));
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  Status Remove(const std::string& path) override { return files_.Remove(path); }
  Status CreateDirectory(const std::string& path) override { return files_.CreateDirectory(path); }
  Status SyncDirectory(const std::string& path) override {
    before_sync_();
    return files_.SyncDirectory(path);
  }
  StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return files_.List(directory);
  }
  bool Exists(const std::string& path) override { return files_.Exists(path); }
  StatusOr<std::unique_ptr<paxos::FileLock>> Lock(const std::string& path) override {
    return files_.Lock(path);
  }

 private:
  class TimedFile final : public paxos::File {
   public:
    TimedFile(std::unique_ptr<paxos::File> file, const std::function<void()>& before_sync)
        : file_(std::move(file)), before_sync_(before_sync) {}

    StatusOr<std::string> Read(uint64_t offset, size_t size) const override {
      return file_->Read(offset, size);
    }
    Status Write(uint64_t offset, std::string_view bytes) override {
      is_dirty_ = true;
      return file_->Write(offset, bytes);
    }
    Status Sync() override {
      if (is_dirty_) before_sync_();
      is_dirty_ = false;
      return file_->Sync();
    }
    StatusOr<uint64_t> Size() const override { return file_->Size(); }
    Status DropCache() override { return file_->DropCache(); }

   private:
    const std::unique_ptr<paxos::File> file_;
    const std::function<void()>& before_sync_;
    bool is_dirty_ = false;
  };

  StatusOr<std::unique_ptr<paxos::File>> Wrap(StatusOr<std::unique_ptr<paxos::File>> file) {
    if (!file.ok()) return file;
    return std::unique_ptr<paxos::File>(
        std::make_unique<TimedFile>(*std::move(file), before_sync_));
  }

  paxos::FileSystem& files_;
  const std::function<void()> before_sync_;
};

}  // namespace decree::sim
