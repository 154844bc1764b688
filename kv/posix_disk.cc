#include "kv/posix_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace decree::kv {
namespace {

leveldb::Status ErrorOf(const std::string& path, const char* operation) {
  return leveldb::Status::IOError(path, std::string(operation) + ": " + std::strerror(errno));
}

// A file that is read at any offset, by any thread.
class PreadFile final : public leveldb::RandomAccessFile {
 public:
  // Takes the descriptor.
  PreadFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~PreadFile() override { close(descriptor_); }

  leveldb::Status Read(uint64_t offset, size_t bytes, leveldb::Slice* result,
                       char* buffer) const override {
    size_t done = 0;
    while (done < bytes) {
      const ssize_t got =
          pread(descriptor_, buffer + done, bytes - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrorOf(path_, "read");
      if (got == 0) break;  // the end of the file
      done += static_cast<size_t>(got);
    }
    *result = leveldb::Slice(buffer, done);
    return leveldb::Status::OK();
  }

 private:
  const std::string path_;
  const int descriptor_;
};

class PosixEnv final : public leveldb::EnvWrapper {
 public:
  PosixEnv() : EnvWrapper(leveldb::Env::Default()) {}

  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** file) override {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) {
      *file = new PreadFile(path, descriptor);
      return leveldb::Status::OK();
    }
    *file = nullptr;
    // LevelDB tells an absent file from one that cannot be opened.
    if (errno == ENOENT) return leveldb::Status::NotFound(path, std::strerror(errno));
    return ErrorOf(path, "open");
  }
};

// Syncs a file or directory; drops its cached pages if asked to.
leveldb::Status SyncPath(const std::string& path, int flags, bool drops_cache) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (descriptor < 0) return ErrorOf(path, "open");
  leveldb::Status status = fsync(descriptor) == 0 ? leveldb::Status::OK() : ErrorOf(path, "fsync");
  if (status.ok() && drops_cache) posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  close(descriptor);
  return status;
}

leveldb::Status FlushPosixFiles(const std::string& directory) {
  std::vector<std::string> names;
  leveldb::Env& env = *leveldb::Env::Default();
  if (!env.FileExists(directory)) return leveldb::Status::OK();
  if (leveldb::Status listed = env.GetChildren(directory, &names); !listed.ok()) return listed;
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    const leveldb::Status synced = SyncPath(directory + "/" + name, 0, true);
    if (!synced.ok()) return synced;
  }
  return SyncPath(directory, O_DIRECTORY, false);
}

}  // namespace

Disk PosixDisk() {
  static PosixEnv* const env = new PosixEnv;  // LevelDB's threads may outlive statics
  return {.env = env,
          .sync_directory = [](const std::string& path) { return SyncPath(path, O_DIRECTORY, false); },
          .flush_files = FlushPosixFiles};
}

}  // namespace decree::kv
