#include "paxos/fs/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <glog/logging.h>

namespace decree::paxos {
namespace {

// What `operation` on `path` failed with.
Status ErrorOf(const std::string& path, const char* operation) {
  const int error = errno;
  const std::string text = StrCat(path, ": ", operation, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(text);
    case EEXIST:
      return absl::AlreadyExistsError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    default:
      return absl::InternalError(text);
  }
}

// Repeats a system call that a signal interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// While it lives no signal interrupts this thread.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, &before_), 0);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }

  bool IsOpen() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  int number_;
};

Descriptor OpenDescriptor(const std::string& path, int flags) {
  return Descriptor(Uninterrupted([&] { return open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR); }));
}

class PosixFile final : public File {
 public:
  PosixFile(std::string path, Descriptor descriptor) : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  StatusOr<size_t> ReadTo(uint64_t offset, size_t size, char* buffer) const override {
    size_t done = 0;
    while (done < size) {
      const ssize_t count = Uninterrupted(
          [&] { return pread(descriptor_.number(), buffer + done, size - done, static_cast<off_t>(offset + done)); });
      if (count < 0) return ErrorOf(path_, "read");
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }

  Status Write(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = Uninterrupted(
          [&] { return pwrite(descriptor_.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (count < 0) return ErrorOf(path_, "write");
      bytes.remove_prefix(static_cast<size_t>(count));
      offset += static_cast<uint64_t>(count);
    }
    return OkStatus();
  }

  Status Sync() override {
    // Not repeated: what a first attempt lost, a second would report as done. So it must not be interrupted, as some
    // file systems let it be.
    const SignalsHeld held;
    return fdatasync(descriptor_.number()) == 0 ? OkStatus() : ErrorOf(path_, "fdatasync");
  }

  StatusOr<uint64_t> Size() const override {
    struct stat status;
    if (fstat(descriptor_.number(), &status) != 0) return ErrorOf(path_, "stat");
    return static_cast<uint64_t>(status.st_size);
  }

  Status DropCache() override {
    const int error = posix_fadvise(descriptor_.number(), 0, 0, POSIX_FADV_DONTNEED);
    if (error == 0) return OkStatus();
    errno = error;
    return ErrorOf(path_, "posix_fadvise");
  }

 private:
  const std::string path_;
  const Descriptor descriptor_;
};

// flock is released when the process ends, however it ends.
class PosixLock final : public FileLock {
 public:
  explicit PosixLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;
};

StatusOr<std::unique_ptr<File>> OpenWith(const std::string& path, int flags, const char* operation) {
  Descriptor descriptor = OpenDescriptor(path, O_RDWR | flags);
  if (!descriptor.IsOpen()) return ErrorOf(path, operation);
  return std::unique_ptr<File>(std::make_unique<PosixFile>(path, std::move(descriptor)));
}

}  // namespace

StatusOr<std::unique_ptr<File>> PosixFileSystem::Open(const std::string& path) { return OpenWith(path, 0, "open"); }

StatusOr<std::unique_ptr<File>> PosixFileSystem::Create(const std::string& path) {
  return OpenWith(path, O_CREAT | O_EXCL, "create");
}

Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return OkStatus();
  return ErrorOf(from, StrCat("rename to ", to).c_str());
}

Status PosixFileSystem::Remove(const std::string& path) {
  return unlink(path.c_str()) == 0 ? OkStatus() : ErrorOf(path, "remove");
}

Status PosixFileSystem::CreateDirectory(const std::string& path) {
  if (mkdir(path.c_str(), S_IRWXU) == 0) return OkStatus();
  if (errno != EEXIST) return ErrorOf(path, "make the directory");
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return ErrorOf(path, "stat");
  if (S_ISDIR(status.st_mode)) return OkStatus();
  return absl::FailedPreconditionError(StrCat(path, " exists and is not a directory"));
}

Status PosixFileSystem::SyncDirectory(const std::string& path) {
  const Descriptor descriptor = OpenDescriptor(path, O_RDONLY | O_DIRECTORY);
  if (!descriptor.IsOpen()) return ErrorOf(path, "open the directory");
  const SignalsHeld held;
  return fsync(descriptor.number()) == 0 ? OkStatus() : ErrorOf(path, "fsync of the directory");
}

StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(directory.c_str()), closedir);
  if (stream == nullptr) return ErrorOf(directory, "list");
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* const entry = readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) return ErrorOf(directory, "list");
  std::sort(names.begin(), names.end());
  return names;
}

bool PosixFileSystem::Exists(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0;
}

StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path) {
  Descriptor descriptor = OpenDescriptor(path, O_RDWR | O_CREAT);
  if (!descriptor.IsOpen()) return ErrorOf(path, "open");
  if (Uninterrupted([&] { return flock(descriptor.number(), LOCK_EX | LOCK_NB); }) == 0) {
    return std::unique_ptr<FileLock>(std::make_unique<PosixLock>(std::move(descriptor)));
  }
  if (errno != EWOULDBLOCK) return ErrorOf(path, "lock");
  return absl::FailedPreconditionError(
      StrCat(path, " is locked: another process uses this directory; stop that one first"));
}

}  // namespace decree::paxos
