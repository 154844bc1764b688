#pragma once
// Puts LevelDB on a `paxos::FileSystem`, so that the simulated disk with its crashes is under it too.
//
// LevelDB's background work does not run by itself: whoever holds the environment calls
// `RunScheduled`, after each write and before the database is closed. So all happens in one thread,
// and the same each time.

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <leveldb/env.h>

#include "kv/no_wal_env.h"
#include "paxos/log/file_system.h"

namespace decree::check {

class FileSystemEnv final : public leveldb::Env {
 public:
  // `files` must outlive the environment. `before_change` is called before every change and sync.
  explicit FileSystemEnv(paxos::FileSystem& files, std::function<void()> before_change = [] {})
      : files_(files), before_change_(std::move(before_change)) {}

  // For kv::Store.
  kv::Disk disk();
  void RunScheduled();
  // The process has ended in one of LevelDB's operations. An exception cannot pass through it, so
  // from then on its operations change nothing, and whoever called LevelDB throws when it returns.
  bool crashed() const { return crashed_; }

  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** file) override;
  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** file) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  bool FileExists(const std::string& path) override { return files_.Exists(path); }
  leveldb::Status GetChildren(const std::string& directory,
                              std::vector<std::string>* names) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& directory) override;
  leveldb::Status RemoveDir(const std::string& directory) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* bytes) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  void Schedule(void (*work)(void*), void* argument) override;
  void StartThread(void (*work)(void*), void* argument) override;
  leveldb::Status GetTestDirectory(std::string* path) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** logger) override;
  uint64_t NowMicros() override { return 0; }
  void SleepForMicroseconds(int) override {}

 private:
  class Writable;

  // Carries out a change of the disk, unless the process has ended.
  leveldb::Status Change(const std::function<Status()>& change);

  paxos::FileSystem& files_;
  const std::function<void()> before_change_;
  bool crashed_ = false;
  std::deque<std::pair<void (*)(void*), void*>> scheduled_;
};

}  // namespace decree::check
