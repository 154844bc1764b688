#include "tests/support/file_system_env.h"

#include <cstring>
#include <memory>

#include <glog/logging.h>

#include "tests/support/simulated_file_system.h"

namespace decree::check {
namespace {

leveldb::Status ToLevelDb(const Status& status) {
  if (status.ok()) return leveldb::Status::OK();
  const std::string text(status.message());
  return absl::IsNotFound(status) ? leveldb::Status::NotFound(text)
                                  : leveldb::Status::IOError(text);
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

leveldb::Status ReadInto(const paxos::File& file, uint64_t offset, size_t size,
                         leveldb::Slice* result, char* scratch) {
  const StatusOr<std::string> bytes = file.Read(offset, size);
  if (!bytes.ok()) return ToLevelDb(bytes.status());
  std::memcpy(scratch, bytes->data(), bytes->size());
  *result = leveldb::Slice(scratch, bytes->size());
  return leveldb::Status::OK();
}

class Sequential final : public leveldb::SequentialFile {
 public:
  explicit Sequential(std::unique_ptr<paxos::File> file) : file_(std::move(file)) {}
  leveldb::Status Read(size_t size, leveldb::Slice* result, char* scratch) override {
    const leveldb::Status status = ReadInto(*file_, offset_, size, result, scratch);
    if (status.ok()) offset_ += result->size();
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

class RandomAccess final : public leveldb::RandomAccessFile {
 public:
  explicit RandomAccess(std::unique_ptr<paxos::File> file) : file_(std::move(file)) {}
  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* scratch) const override {
    return ReadInto(*file_, offset, size, result, scratch);
  }

 private:
  const std::unique_ptr<paxos::File> file_;
};

class Lock final : public leveldb::FileLock {
 public:
  explicit Lock(std::unique_ptr<paxos::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  const std::unique_ptr<paxos::FileLock> lock_;
};

class SilentLogger final : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

}  // namespace

class FileSystemEnv::Writable final : public leveldb::WritableFile {
 public:
  Writable(FileSystemEnv& env, std::string path, std::unique_ptr<paxos::File> file)
      : env_(env), path_(std::move(path)), file_(std::move(file)) {}
  leveldb::Status Append(const leveldb::Slice& bytes) override {
    const uint64_t offset = size_;
    size_ += bytes.size();
    return env_.Change([&] { return file_->Write(offset, {bytes.data(), bytes.size()}); });
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override {
    // As Env::Default does: names are synced with the MANIFEST that speaks of them.
    if (path_.find("MANIFEST") != std::string::npos) {
      const leveldb::Status synced =
          env_.Change([&] { return env_.files_.SyncDirectory(ParentOf(path_)); });
      if (!synced.ok()) return synced;
    }
    return env_.Change([&] { return file_->Sync(); });
  }

 private:
  FileSystemEnv& env_;
  const std::string path_;
  const std::unique_ptr<paxos::File> file_;  // null if the process had ended before
  uint64_t size_ = 0;
};

leveldb::Status FileSystemEnv::Change(const std::function<Status()>& change) {
  if (crashed_) return leveldb::Status::OK();
  before_change_();
  try {
    return ToLevelDb(change());
  } catch (const paxos::SimulatedCrash&) {
    crashed_ = true;
    return leveldb::Status::OK();
  }
}

kv::Disk FileSystemEnv::disk() {
  return {.env = this,
          .sync_directory =
              [this](const std::string& directory) {
                return Change([&] { return files_.SyncDirectory(directory); });
              },
          .flush_files = [](const std::string&) { return leveldb::Status::OK(); }};
}

void FileSystemEnv::RunScheduled() {
  while (!scheduled_.empty()) {
    const auto [work, argument] = scheduled_.front();
    scheduled_.pop_front();
    work(argument);
  }
}

leveldb::Status FileSystemEnv::NewSequentialFile(const std::string& path,
                                                 leveldb::SequentialFile** file) {
  StatusOr<std::unique_ptr<paxos::File>> opened = files_.Open(path);
  *file = opened.ok() ? new Sequential(*std::move(opened)) : nullptr;
  return ToLevelDb(opened.status());
}

leveldb::Status FileSystemEnv::NewRandomAccessFile(const std::string& path,
                                                   leveldb::RandomAccessFile** file) {
  StatusOr<std::unique_ptr<paxos::File>> opened = files_.Open(path);
  *file = opened.ok() ? new RandomAccess(*std::move(opened)) : nullptr;
  return ToLevelDb(opened.status());
}

leveldb::Status FileSystemEnv::NewWritableFile(const std::string& path,
                                               leveldb::WritableFile** file) {
  std::unique_ptr<paxos::File> made;
  const leveldb::Status status = Change([&] {
    if (files_.Exists(path)) RETURN_IF_ERROR(files_.Remove(path));
    ASSIGN_OR_RETURN(made, files_.Create(path));
    return OkStatus();
  });
  *file = status.ok() ? new Writable(*this, path, std::move(made)) : nullptr;
  return status;
}

leveldb::Status FileSystemEnv::GetChildren(const std::string& directory,
                                           std::vector<std::string>* names) {
  StatusOr<std::vector<std::string>> listed = files_.List(directory);
  if (listed.ok()) *names = *std::move(listed);
  return ToLevelDb(listed.status());
}

leveldb::Status FileSystemEnv::RemoveFile(const std::string& path) {
  return Change([&] { return files_.Remove(path); });
}

leveldb::Status FileSystemEnv::CreateDir(const std::string& directory) {
  return ToLevelDb(files_.CreateDirectory(directory));
}

leveldb::Status FileSystemEnv::RemoveDir(const std::string& directory) {
  return leveldb::Status::NotSupported(directory);
}

leveldb::Status FileSystemEnv::GetFileSize(const std::string& path, uint64_t* bytes) {
  const StatusOr<std::unique_ptr<paxos::File>> file = files_.Open(path);
  if (!file.ok()) return ToLevelDb(file.status());
  const StatusOr<uint64_t> size = (*file)->Size();
  if (size.ok()) *bytes = *size;
  return ToLevelDb(size.status());
}

leveldb::Status FileSystemEnv::RenameFile(const std::string& from, const std::string& to) {
  return Change([&] { return files_.Rename(from, to); });
}

leveldb::Status FileSystemEnv::LockFile(const std::string& path, leveldb::FileLock** lock) {
  StatusOr<std::unique_ptr<paxos::FileLock>> taken = files_.Lock(path);
  *lock = taken.ok() ? new Lock(*std::move(taken)) : nullptr;
  return ToLevelDb(taken.status());
}

leveldb::Status FileSystemEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

void FileSystemEnv::Schedule(void (*work)(void*), void* argument) {
  scheduled_.emplace_back(work, argument);
}

void FileSystemEnv::StartThread(void (*)(void*), void*) {
  LOG(FATAL) << "LevelDB starts no threads of its own";
}

leveldb::Status FileSystemEnv::GetTestDirectory(std::string* path) {
  return leveldb::Status::NotSupported(*path);
}

leveldb::Status FileSystemEnv::NewLogger(const std::string&, leveldb::Logger** logger) {
  *logger = new SilentLogger;
  return leveldb::Status::OK();
}

}  // namespace decree::check
