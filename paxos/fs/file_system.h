#pragma once
// The few file operations that the log and the store need, so that tests can put a simulated disk
// under them. Any object may be used by one thread at a time, but several may read one file while none writes it;
// different objects by different threads.
//
// Errors are Status with path, operation and the system's reason. kNotFound only for "no such file",
// kResourceExhausted only for a full disk.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/base/status.h"

namespace decree::paxos {

// An open file that is read and written at offsets.
class File {
 public:
  virtual ~File() = default;

  // Reads up to `size` bytes into `buffer`, and says how many: fewer only at the end of the file.
  virtual StatusOr<size_t> ReadTo(uint64_t offset, size_t size, char* buffer) const = 0;
  // The same as a string. Of a `size` beyond the file's end nothing is allocated.
  StatusOr<std::string> Read(uint64_t offset, size_t size) const;
  // Writes all of `bytes`, growing the file if it must. Not durable until Sync.
  virtual Status Write(uint64_t offset, std::string_view bytes) = 0;
  // On return all that was written is durable (fdatasync). After an error nothing is known of what
  // was: the kernel may have dropped the pages. Never try again on the same file.
  virtual Status Sync() = 0;
  virtual StatusOr<uint64_t> Size() const = 0;
  // What has been synced leaves the page cache, so that the next Read tells what the device holds. A
  // page whose sync once failed counts as clean, and would be read back as if it were on the device.
  virtual Status DropCache() = 0;
};

// Holds a lock until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Opens for reading and writing; the file must exist.
  virtual StatusOr<std::unique_ptr<File>> Open(const std::string& path) = 0;
  // Makes an empty file; one of that name must not exist. The name is durable after SyncDirectory.
  virtual StatusOr<std::unique_ptr<File>> Create(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  virtual Status CreateDirectory(const std::string& path) = 0;  // fine if it exists
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Names in the directory, sorted, without "." and "..".
  virtual StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual bool Exists(const std::string& path) = 0;
  // Keeps a second process away; kFailedPrecondition if one holds it.
  virtual StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

}  // namespace decree::paxos
