#pragma once
// Files in memory, on a disk that can lose power: what was not synced is then lost, kept or torn,
// sector by sector, as the seed will have it.
//
// Faults that a test asks for: the process ends in the middle of an operation (SimulatedCrash), an
// operation fails, bytes rot.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "paxos/base/random.h"
#include "paxos/fs/file_system.h"

namespace decree::paxos {

// Thrown where the process would be gone. Nobody but the test catches it.
struct SimulatedCrash {};

class SimulatedFileSystem final : public FileSystem {
 public:
  explicit SimulatedFileSystem(uint64_t seed);
  ~SimulatedFileSystem() override;

  // ---- The end of a process; files that it has open must not be used any more ----

  // The operating system lives on and keeps what was written. Locks are released.
  void Kill();
  // What was not synced is lost, or kept in part; so are names, but in their order.
  void LosePower();
  // The machine has got another disk, and it is empty.
  void Replace();
  // Throws SimulatedCrash at the `operations`-th change or sync from now, which may then have
  // happened, or not, or in part. 0: never.
  void CrashAfter(uint64_t operations) { crash_after_ = operations; }

  // ---- Faults ----

  enum class Operation { kWrite, kSync, kRead, kRename, kSyncDirectory };
  // The next operation of the kind fails with `error`. A write or read then does nothing; after a
  // failed sync the written bytes are in the page cache only, where no later sync finds them.
  void FailNext(Operation operation, Status error);
  // Turns bits of a byte, durably.
  void Rot(const std::string& path, uint64_t offset, uint8_t bits = 0x10);
  // All bytes of a file, as written, for a test to look at or to put back, durably.
  std::string Contents(const std::string& path) const;
  void SetContents(const std::string& path, std::string bytes);

  // How many files are open, by processes that are gone too.
  size_t open_files() const { return *open_files_; }

  // The same disk once more, for a test to crash.
  std::unique_ptr<SimulatedFileSystem> Clone(uint64_t seed) const;

  // ---- FileSystem ----

  StatusOr<std::unique_ptr<File>> Open(const std::string& path) override;
  StatusOr<std::unique_ptr<File>> Create(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status CreateDirectory(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  bool Exists(const std::string& path) override;
  StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  struct Inode;
  struct Locks;
  class OpenFile;
  class HeldLock;
  using InodePtr = std::shared_ptr<Inode>;
  using Names = std::map<std::string, InodePtr>;  // by path
  // A change of names that a power loss may undo.
  struct NameChange {
    std::string directory;
    Names before;  // of the paths concerned; null: there was none
  };

  // True if the process ends with this operation; the caller then throws.
  bool IsTheLast();
  // The error that FailNext has asked for, once.
  Status TakeError(Operation operation);
  void ChangeNames(const std::string& directory, const std::vector<std::string>& paths,
                   const std::vector<InodePtr>& inodes);
  void LoseNames();
  void LoseContents(Inode& inode);

  Random random_;
  Names names_;
  std::vector<std::string> directories_;
  std::vector<NameChange> unsynced_names_;
  std::vector<std::weak_ptr<Inode>> dirty_;
  std::map<Operation, Status> errors_;
  std::shared_ptr<Locks> locks_;
  std::shared_ptr<size_t> open_files_ = std::make_shared<size_t>(0);
  uint64_t crash_after_ = 0;
};

}  // namespace decree::paxos
