#pragma once
// The environment that LevelDB runs in here: without a log of its own, and with a disk whose failures
// are never survived.
//
// The Paxos log is the only write-ahead log. LevelDB's `*.log` files are real but stay empty, so what
// LevelDB holds after a crash is what its flushed tables hold: a prefix of the applied slots, with
// the applied slot written in the same batch as the data.
//
// LevelDB renames CURRENT without syncing the directory, writes of a table before the table's name is
// durable, and goes on after a sync that failed, which the kernel may have answered by dropping the
// pages. So a rename and the first sync of a file are followed by a directory sync here, and a sync
// that fails ends the process. What comes back as a status (a full disk, for one) is
// met before: `Sync` flushes first.

#include <functional>
#include <string>

#include <leveldb/env.h>

namespace decree::kv {

// Where a store's files are.
struct Disk {
  leveldb::Env* env = nullptr;  // outlives every user
  // Makes the names in a directory durable.
  std::function<leveldb::Status(const std::string& directory)> sync_directory;
  // Puts what a directory's files hold on the device and drops their cached pages: a process that was
  // killed leaves pages that were never synced, and one whose sync failed leaves pages that count as
  // clean and are not on the device.
  std::function<leveldb::Status(const std::string& directory)> flush_files;
};

class NoWalEnv final : public leveldb::EnvWrapper {
 public:
  explicit NoWalEnv(Disk disk);

  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;

 private:
  const Disk disk_;
};

}  // namespace decree::kv
