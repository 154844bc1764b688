#pragma once
// The environment that LevelDB runs in here: on a `paxos::FileSystem`, without a log of its own, and with a disk
// whose failures are never survived.
//
// The Paxos log is the only write-ahead log. LevelDB's `*.log` files are real but stay empty, so what LevelDB
// holds after a crash is what its flushed tables hold: a prefix of the applied slots, with the applied slot
// written in the same batch as the data.
//
// LevelDB renames CURRENT without syncing the directory, writes of a table before the table's name is durable,
// and goes on after a sync that failed, which the kernel may have answered by dropping the pages. So a rename and
// the first sync of a file are followed by a directory sync here, and a sync that fails ends the process. What
// cannot be written, because the disk is full for one, comes back as a status.
//
// Tables are read and not mapped into memory, as LevelDB does by default: then a store's whole size may count as
// the node's memory, and a disk that cannot be read ends it by a signal, without a word of what and where.

#include <cstdint>
#include <string>
#include <vector>

#include <leveldb/env.h>

#include "paxos/fs/file_system.h"

namespace decree::kv {

class StoreEnv final : public leveldb::EnvWrapper {
 public:
  // `host` runs LevelDB's background work. Both outlive the environment.
  StoreEnv(paxos::FileSystem& files, leveldb::Env& host) : EnvWrapper(&host), files_(files) {}

  leveldb::Status NewSequentialFile(const std::string& path, leveldb::SequentialFile** file) override;
  leveldb::Status NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** file) override;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  leveldb::Status NewAppendableFile(const std::string& path, leveldb::WritableFile** file) override;
  bool FileExists(const std::string& path) override { return files_.Exists(path); }
  leveldb::Status GetChildren(const std::string& directory, std::vector<std::string>* names) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& directory) override;
  leveldb::Status RemoveDir(const std::string& directory) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* bytes) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  leveldb::Status NewLogger(const std::string& path, leveldb::Logger** logger) override;

 private:
  paxos::FileSystem& files_;
};

// Puts what LevelDB will read in this directory on the device, and drops its cached pages: a process that was
// killed leaves pages that were never synced, and one whose sync failed leaves pages that count as clean and are
// not on the device. Fine if there is no such directory.
Status FlushStoreFiles(paxos::FileSystem& files, const std::string& directory);

}  // namespace decree::kv
