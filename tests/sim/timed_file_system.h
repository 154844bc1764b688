#pragma once
// Asks before a write or sync is carried out: it takes time, and it may fail, which ends the process
// there and then.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "paxos/fs/file_system.h"
#include "tests/support/simulated_file_system.h"

namespace decree::sim {

class TimedFileSystem final : public paxos::FileSystem {
 public:
  enum class Operation { kWrite, kSync, kSyncDirectory };
  // Called before every write, every sync of a directory, and every sync of a file that was written
  // to. False: it fails.
  using Ask = std::function<bool(Operation)>;

  // `files` must outlive this.
  TimedFileSystem(paxos::FileSystem& files, Ask ask) : files_(files), ask_(std::move(ask)) {}

  StatusOr<std::unique_ptr<paxos::File>> Open(const std::string& path) override { return Wrap(files_.Open(path)); }
  StatusOr<std::unique_ptr<paxos::File>> Create(const std::string& path) override { return Wrap(files_.Create(path)); }
  Status Rename(const std::string& from, const std::string& to) override { return files_.Rename(from, to); }
  Status Remove(const std::string& path) override { return files_.Remove(path); }
  Status CreateDirectory(const std::string& path) override { return files_.CreateDirectory(path); }
  Status SyncDirectory(const std::string& path) override {
    if (!ask_(Operation::kSyncDirectory)) throw paxos::SimulatedCrash();
    return files_.SyncDirectory(path);
  }
  StatusOr<std::vector<std::string>> List(const std::string& directory) override { return files_.List(directory); }
  bool Exists(const std::string& path) override { return files_.Exists(path); }
  StatusOr<std::unique_ptr<paxos::FileLock>> Lock(const std::string& path) override { return files_.Lock(path); }

 private:
  class TimedFile final : public paxos::File {
   public:
    TimedFile(std::unique_ptr<paxos::File> file, const Ask& ask) : file_(std::move(file)), ask_(ask) {}

    StatusOr<size_t> ReadTo(uint64_t offset, size_t size, char* buffer) const override {
      return file_->ReadTo(offset, size, buffer);
    }
    Status Write(uint64_t offset, std::string_view bytes) override {
      is_dirty_ = true;
      if (!ask_(Operation::kWrite)) throw paxos::SimulatedCrash();
      return file_->Write(offset, bytes);
    }
    Status Sync() override {
      if (std::exchange(is_dirty_, false) && !ask_(Operation::kSync)) {
        // What is left of the process afterwards is its pages, which count as clean.
        CHECK(!file_->Sync().ok());
        throw paxos::SimulatedCrash();
      }
      return file_->Sync();
    }
    StatusOr<uint64_t> Size() const override { return file_->Size(); }
    Status DropCache() override { return file_->DropCache(); }

   private:
    const std::unique_ptr<paxos::File> file_;
    const Ask& ask_;
    bool is_dirty_ = false;
  };

  StatusOr<std::unique_ptr<paxos::File>> Wrap(StatusOr<std::unique_ptr<paxos::File>> file) {
    if (!file.ok()) return file;
    return std::unique_ptr<paxos::File>(std::make_unique<TimedFile>(*std::move(file), ask_));
  }

  paxos::FileSystem& files_;
  const Ask ask_;
};

}  // namespace decree::sim
