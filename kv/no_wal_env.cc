#include "kv/no_wal_env.h"

#include <memory>
#include <string_view>
#include <utility>

#include <glog/logging.h>

namespace decree::kv {
namespace {

constexpr std::string_view kLogSuffix = ".log";

bool IsLog(const std::string& path) { return std::string_view(path).ends_with(kLogSuffix); }

// Forgets what is written to it.
class DiscardingFile final : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice&) override { return leveldb::Status::OK(); }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
};

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// Ends the process if the names of a directory cannot be made durable.
void RequireNames(const Disk& disk, const std::string& path) {
  const leveldb::Status synced = disk.sync_directory(DirectoryOf(path));
  if (synced.ok()) return;
  LOG(FATAL) << path << ": sync of its directory: " << synced.ToString()
             << ". The process ends; start it again when the disk is well";
}

// Ends the process if a sync fails. After the first one the file's name is durable too: the MANIFEST
// record that speaks of a table is written before LevelDB syncs the directory, and could reach the
// disk when the name does not.
class UnforgivingFile final : public leveldb::WritableFile {
 public:
  UnforgivingFile(const Disk& disk, std::string path, leveldb::WritableFile* file)
      : disk_(disk), path_(std::move(path)), file_(file) {}

  leveldb::Status Append(const leveldb::Slice& bytes) override { return file_->Append(bytes); }
  leveldb::Status Close() override { return file_->Close(); }
  // LevelDB asks for it after every block of a table, which nobody reads before it is synced.
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override {
    if (const leveldb::Status flushed = file_->Flush(); !flushed.ok()) return flushed;
    const leveldb::Status synced = file_->Sync();
    if (!synced.ok()) {
      LOG(FATAL) << path_ << ": sync: " << synced.ToString()
                 << ". The process ends; start it again when the disk is well";
    }
    if (!std::exchange(has_name_, true)) RequireNames(disk_, path_);
    return synced;
  }

 private:
  const Disk& disk_;
  const std::string path_;
  const std::unique_ptr<leveldb::WritableFile> file_;
  bool has_name_ = false;
};

}  // namespace

NoWalEnv::NoWalEnv(Disk disk) : EnvWrapper(disk.env), disk_(std::move(disk)) {}

leveldb::Status NoWalEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** file) {
  leveldb::WritableFile* made = nullptr;
  const leveldb::Status status = target()->NewWritableFile(path, &made);
  if (!status.ok()) return status;
  if (IsLog(path)) {
    delete made;  // It stays there, empty.
    *file = new DiscardingFile;
  } else {
    *file = new UnforgivingFile(disk_, path, made);
  }
  return status;
}

leveldb::Status NoWalEnv::RenameFile(const std::string& from, const std::string& to) {
  const leveldb::Status renamed = target()->RenameFile(from, to);
  if (!renamed.ok()) return renamed;
  RequireNames(disk_, to);
  return renamed;
}

}  // namespace decree::kv
