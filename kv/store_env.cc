#include "kv/store_env.h"

#include <memory>
#include <string_view>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/status.h"

namespace decree::kv {
namespace {

// A table is written in blocks of 4 KiB.
constexpr size_t kBufferBytes = 64 << 10;

bool IsLog(std::string_view path) { return path.ends_with(".log"); }

leveldb::Status ToLevelDb(const Status& status) {
  if (status.ok()) return leveldb::Status::OK();
  const std::string text(status.message());
  // LevelDB tells an absent file from one that cannot be opened.
  return absl::IsNotFound(status) ? leveldb::Status::NotFound(text) : leveldb::Status::IOError(text);
}

leveldb::Status Read(const paxos::File& file, uint64_t offset, size_t size, leveldb::Slice* result, char* buffer) {
  const StatusOr<size_t> read = file.ReadTo(offset, size, buffer);
  *result = leveldb::Slice(buffer, read.value_or(0));
  return ToLevelDb(read.status());
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// Ends the process if the disk has failed.
void Require(const Status& status, const std::string& path, const char* operation) {
  if (status.ok()) return;
  LOG(FATAL) << path << ": " << operation << ": " << status.message()
             << ". The process ends; start it again when the disk is well";
}

class SequentialFile final : public leveldb::SequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<paxos::File> file) : file_(std::move(file)) {}

  leveldb::Status Read(size_t size, leveldb::Slice* result, char* buffer) override {
    const leveldb::Status status = kv::Read(*file_, offset_, size, result, buffer);
    offset_ += result->size();
    return status;
  }
  leveldb::Status Skip(uint64_t bytes) override {
    offset_ += bytes;
    return leveldb::Status::OK();
  }

 private:
  const std::unique_ptr<paxos::File> file_;
  uint64_t offset_ = 0;
};

class RandomAccessFile final : public leveldb::RandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<paxos::File> file) : file_(std::move(file)) {}

  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result, char* buffer) const override {
    return kv::Read(*file_, offset, size, result, buffer);
  }

 private:
  const std::unique_ptr<paxos::File> file_;
};

// Gathers what is small, and ends the process if a sync fails. After the first one the file's name is durable too:
// the MANIFEST record that speaks of a table could reach the disk when the name does not.
class WritableFile final : public leveldb::WritableFile {
 public:
  WritableFile(paxos::FileSystem& files, std::string path, std::unique_ptr<paxos::File> file)
      : files_(files), path_(std::move(path)), file_(std::move(file)) {}

  leveldb::Status Append(const leveldb::Slice& bytes) override {
    buffer_.append(bytes.data(), bytes.size());
    return buffer_.size() < kBufferBytes ? leveldb::Status::OK() : WriteBuffer();
  }
  leveldb::Status Close() override { return WriteBuffer(); }
  // LevelDB asks for it after every block of a table, which nobody reads before it is synced.
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override {
    if (const leveldb::Status written = WriteBuffer(); !written.ok()) return written;
    Require(file_->Sync(), path_, "sync");
    if (!std::exchange(has_name_, true))
      Require(files_.SyncDirectory(DirectoryOf(path_)), path_, "sync of its directory");
    return leveldb::Status::OK();
  }

 private:
  leveldb::Status WriteBuffer() {
    if (buffer_.empty()) return leveldb::Status::OK();
    const Status written = file_->Write(std::exchange(size_, size_ + buffer_.size()), buffer_);
    buffer_.clear();
    return ToLevelDb(written);
  }

  paxos::FileSystem& files_;
  const std::string path_;
  const std::unique_ptr<paxos::File> file_;
  std::string buffer_;
  uint64_t size_ = 0;  // of what was written
  bool has_name_ = false;
};

// Forgets what is written to it.
class DiscardingFile final : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice&) override { return leveldb::Status::OK(); }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }
};

class Lock final : public leveldb::FileLock {
 public:
  explicit Lock(std::unique_ptr<paxos::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  const std::unique_ptr<paxos::FileLock> lock_;
};

// Sets `*out` to an `Adapter` of what was opened, or to null.
template <typename Adapter, typename Opened, typename Out>
leveldb::Status Adapt(StatusOr<Opened> opened, Out** out) {
  *out = opened.ok() ? new Adapter(*std::move(opened)) : nullptr;
  return ToLevelDb(opened.status());
}

StatusOr<std::unique_ptr<paxos::File>> CreateEmpty(paxos::FileSystem& files, const std::string& path) {
  if (files.Exists(path)) RETURN_IF_ERROR(files.Remove(path));
  return files.Create(path);
}

}  // namespace

leveldb::Status StoreEnv::NewSequentialFile(const std::string& path, leveldb::SequentialFile** file) {
  return Adapt<SequentialFile>(files_.Open(path), file);
}

leveldb::Status StoreEnv::NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** file) {
  return Adapt<RandomAccessFile>(files_.Open(path), file);
}

leveldb::Status StoreEnv::NewWritableFile(const std::string& path, leveldb::WritableFile** file) {
  *file = nullptr;
  StatusOr<std::unique_ptr<paxos::File>> made = CreateEmpty(files_, path);
  if (!made.ok()) return ToLevelDb(made.status());
  if (IsLog(path)) {
    *file = new DiscardingFile;  // It stays there, empty.
  } else {
    *file = new WritableFile(files_, path, *std::move(made));
  }
  return leveldb::Status::OK();
}

// LevelDB asks for one only to go on with a log.
leveldb::Status StoreEnv::NewAppendableFile(const std::string& path, leveldb::WritableFile** file) {
  *file = nullptr;
  return leveldb::Status::NotSupported(path, "files are not appended to");
}

leveldb::Status StoreEnv::GetChildren(const std::string& directory, std::vector<std::string>* names) {
  StatusOr<std::vector<std::string>> listed = files_.List(directory);
  if (listed.ok()) *names = *std::move(listed);
  return ToLevelDb(listed.status());
}

leveldb::Status StoreEnv::RemoveFile(const std::string& path) { return ToLevelDb(files_.Remove(path)); }

leveldb::Status StoreEnv::CreateDir(const std::string& directory) {
  return ToLevelDb(files_.CreateDirectory(directory));
}

leveldb::Status StoreEnv::RemoveDir(const std::string& directory) {
  return leveldb::Status::NotSupported(directory, "directories are not removed");
}

leveldb::Status StoreEnv::GetFileSize(const std::string& path, uint64_t* bytes) {
  *bytes = 0;
  const StatusOr<std::unique_ptr<paxos::File>> file = files_.Open(path);
  if (!file.ok()) return ToLevelDb(file.status());
  const StatusOr<uint64_t> size = (*file)->Size();
  *bytes = size.value_or(0);
  return ToLevelDb(size.status());
}

leveldb::Status StoreEnv::RenameFile(const std::string& from, const std::string& to) {
  if (const Status renamed = files_.Rename(from, to); !renamed.ok()) return ToLevelDb(renamed);
  Require(files_.SyncDirectory(DirectoryOf(to)), to, "sync of its directory");
  return leveldb::Status::OK();
}

leveldb::Status StoreEnv::LockFile(const std::string& path, leveldb::FileLock** lock) {
  return Adapt<Lock>(files_.Lock(path), lock);
}

leveldb::Status StoreEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

leveldb::Status StoreEnv::NewLogger(const std::string& path, leveldb::Logger** logger) {
  *logger = nullptr;
  return leveldb::Status::NotSupported(path, "remarks go to the node's log");
}

Status FlushStoreFiles(paxos::FileSystem& files, const std::string& directory) {
  if (!files.Exists(directory)) return OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(directory));
  for (const std::string& name : names) {
    if (name != "CURRENT" && !name.starts_with("MANIFEST-") && !name.ends_with(".ldb")) continue;
    ASSIGN_OR_RETURN(const std::unique_ptr<paxos::File> file, files.Open(directory + "/" + name));
    RETURN_IF_ERROR(file->Sync());
    RETURN_IF_ERROR(file->DropCache());
  }
  return files.SyncDirectory(directory);
}

}  // namespace decree::kv
