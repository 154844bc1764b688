#include "tests/support/simulated_file_system.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <glog/logging.h>

namespace decree::paxos {
namespace {

constexpr uint64_t kSector = 512;

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

struct SimulatedFileSystem::Inode {
  // What a power loss may undo: the bytes that a write has replaced, and the size before it.
  struct Unsynced {
    uint64_t offset;
    std::string before;
    std::string after;
    uint64_t size_before;
    uint64_t size_after;
  };

  std::string bytes;
  std::vector<Unsynced> unsynced;
  std::vector<Unsynced> cache_only;  // of which a sync has failed: clean, but not on the disk

  // Takes changes back, the newest first.
  void Undo(const std::vector<Unsynced>& changes) {
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
      bytes.resize(std::max<uint64_t>(bytes.size(), change->offset + change->before.size()));
      bytes.replace(change->offset, change->before.size(), change->before);
      bytes.resize(change->size_before, '\0');
    }
  }

  void Write(uint64_t offset, std::string_view data) {
    Unsynced change{.offset = offset,
                    .before = {},
                    .after = std::string(data),
                    .size_before = bytes.size(),
                    .size_after = std::max<uint64_t>(bytes.size(), offset + data.size())};
    if (offset < bytes.size()) change.before = bytes.substr(offset, data.size());
    bytes.resize(change.size_after, '\0');
    bytes.replace(offset, data.size(), data);
    unsynced.push_back(std::move(change));
  }
};

struct SimulatedFileSystem::Locks {
  std::set<std::string> held;
  uint64_t generation = 0;
};

class SimulatedFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<Locks> locks, std::string path)
      : locks_(std::move(locks)), path_(std::move(path)), generation_(locks_->generation) {
    locks_->held.insert(path_);
  }
  ~HeldLock() override {
    if (generation_ == locks_->generation) locks_->held.erase(path_);
  }

 private:
  const std::shared_ptr<Locks> locks_;
  const std::string path_;
  const uint64_t generation_;
};

class SimulatedFileSystem::OpenFile final : public File {
 public:
  OpenFile(SimulatedFileSystem& files, InodePtr inode)
      : files_(files), inode_(std::move(inode)), generation_(files.locks_->generation), count_(files.open_files_) {
    ++*count_;
  }
  ~OpenFile() override { --*count_; }

  StatusOr<size_t> ReadTo(uint64_t offset, size_t size, char* buffer) const override {
    CheckAlive();
    RETURN_IF_ERROR(files_.TakeError(Operation::kRead));
    if (offset >= inode_->bytes.size()) return 0;
    return inode_->bytes.copy(buffer, size, offset);
  }

  Status Write(uint64_t offset, std::string_view bytes) override {
    CheckAlive();
    RETURN_IF_ERROR(files_.TakeError(Operation::kWrite));
    const bool ends = files_.IsTheLast();
    if (ends) bytes = bytes.substr(0, files_.random_.Below(bytes.size() + 1));
    MarkDirty();
    inode_->Write(offset, bytes);
    if (ends) throw SimulatedCrash();
    return OkStatus();
  }

  Status Sync() override {
    CheckAlive();
    if (const Status error = files_.TakeError(Operation::kSync); !error.ok()) {
      std::move(inode_->unsynced.begin(), inode_->unsynced.end(), std::back_inserter(inode_->cache_only));
      inode_->unsynced.clear();
      return error;
    }
    const bool ends = files_.IsTheLast();
    if (!ends || files_.random_.Chance(0.5)) inode_->unsynced.clear();
    if (ends) throw SimulatedCrash();
    return OkStatus();
  }

  StatusOr<uint64_t> Size() const override {
    CheckAlive();
    return inode_->bytes.size();
  }

  Status DropCache() override {
    CheckAlive();
    if (!inode_->unsynced.empty()) return OkStatus();  // Dirty pages stay.
    inode_->Undo(std::exchange(inode_->cache_only, {}));
    return OkStatus();
  }

 private:
  void CheckAlive() const {
    CHECK_EQ(generation_, files_.locks_->generation) << "a file of a process that has ended is used";
  }
  void MarkDirty() {
    if (inode_->unsynced.empty()) files_.dirty_.push_back(inode_);
  }

  SimulatedFileSystem& files_;
  const InodePtr inode_;
  const uint64_t generation_;
  const std::shared_ptr<size_t> count_;
};

SimulatedFileSystem::SimulatedFileSystem(uint64_t seed) : random_(seed), locks_(std::make_shared<Locks>()) {}

SimulatedFileSystem::~SimulatedFileSystem() = default;

// ---- The end of a process ----

void SimulatedFileSystem::Kill() {
  locks_->held.clear();
  ++locks_->generation;
  crash_after_ = 0;
  errors_.clear();
}

void SimulatedFileSystem::LosePower() {
  Kill();
  LoseNames();
  for (const std::weak_ptr<Inode>& dirty : dirty_) {
    if (const InodePtr inode = dirty.lock()) LoseContents(*inode);
  }
  dirty_.clear();
}

void SimulatedFileSystem::Replace() {
  Kill();
  names_.clear();
  directories_.clear();
  unsynced_names_.clear();
  dirty_.clear();
}

void SimulatedFileSystem::LoseNames() {
  // A journaling file system keeps the order of its changes.
  const size_t kept = random_.Below(unsynced_names_.size() + 1);
  while (unsynced_names_.size() > kept) {
    for (const auto& [path, inode] : unsynced_names_.back().before) {
      if (inode == nullptr) {
        names_.erase(path);
      } else {
        names_[path] = inode;
      }
    }
    unsynced_names_.pop_back();
  }
  unsynced_names_.clear();
}

void SimulatedFileSystem::LoseContents(Inode& inode) {
  const std::vector<Inode::Unsynced> changes = std::exchange(inode.unsynced, {});
  inode.Undo(changes);
  inode.Undo(std::exchange(inode.cache_only, {}));
  // All, nothing, or any of it.
  const double kept = random_.Chance(0.3) ? 0 : random_.Chance(0.3) ? 1 : 0.5;
  for (const Inode::Unsynced& change : changes) {
    if (change.after.empty()) continue;
    for (uint64_t at = 0; at < change.after.size();) {
      const uint64_t sector_end = (change.offset + at) / kSector * kSector + kSector;
      const uint64_t count = std::min<uint64_t>(change.after.size() - at, sector_end - change.offset - at);
      if (random_.Chance(kept)) {
        const uint64_t end = change.offset + at + count;
        if (inode.bytes.size() < end) inode.bytes.resize(end, '\0');
        inode.bytes.replace(change.offset + at, count, change.after, at, count);
      }
      at += count;
    }
  }
}

bool SimulatedFileSystem::IsTheLast() { return crash_after_ > 0 && --crash_after_ == 0; }

// ---- Faults ----

void SimulatedFileSystem::FailNext(Operation operation, Status error) { errors_[operation] = std::move(error); }

Status SimulatedFileSystem::TakeError(Operation operation) {
  const auto error = errors_.find(operation);
  if (error == errors_.end()) return OkStatus();
  Status taken = std::move(error->second);
  errors_.erase(error);
  return taken;
}

void SimulatedFileSystem::Rot(const std::string& path, uint64_t offset, uint8_t bits) {
  std::string& bytes = names_.at(path)->bytes;
  CHECK_LT(offset, bytes.size()) << path;
  bytes[offset] = static_cast<char>(static_cast<uint8_t>(bytes[offset]) ^ bits);
}

std::string SimulatedFileSystem::Contents(const std::string& path) const { return names_.at(path)->bytes; }

void SimulatedFileSystem::SetContents(const std::string& path, std::string bytes) {
  InodePtr& inode = names_[path];
  inode = std::make_shared<Inode>();
  inode->bytes = std::move(bytes);
}

std::unique_ptr<SimulatedFileSystem> SimulatedFileSystem::Clone(uint64_t seed) const {
  auto clone = std::make_unique<SimulatedFileSystem>(seed);
  std::map<InodePtr, InodePtr> copies;
  const auto copy_of = [&](const InodePtr& inode) {
    InodePtr& copy = copies[inode];
    if (copy == nullptr && inode != nullptr) copy = std::make_shared<Inode>(*inode);
    return copy;
  };
  for (const auto& [path, inode] : names_) clone->names_[path] = copy_of(inode);
  for (NameChange change : unsynced_names_) {
    for (auto& [path, inode] : change.before) inode = copy_of(inode);
    clone->unsynced_names_.push_back(std::move(change));
  }
  for (const std::weak_ptr<Inode>& dirty : dirty_) {
    if (const InodePtr inode = dirty.lock()) clone->dirty_.push_back(copy_of(inode));
  }
  clone->directories_ = directories_;
  return clone;
}

// ---- FileSystem ----

StatusOr<std::unique_ptr<File>> SimulatedFileSystem::Open(const std::string& path) {
  const auto found = names_.find(path);
  if (found == names_.end()) return absl::NotFoundError(StrCat(path, ": no such file"));
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, found->second));
}

StatusOr<std::unique_ptr<File>> SimulatedFileSystem::Create(const std::string& path) {
  if (Exists(path)) return absl::AlreadyExistsError(StrCat(path, ": it exists"));
  auto inode = std::make_shared<Inode>();
  ChangeNames(DirectoryOf(path), {path}, {inode});
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(inode)));
}

Status SimulatedFileSystem::Rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(TakeError(Operation::kRename));
  const auto found = names_.find(from);
  if (found == names_.end()) return absl::NotFoundError(StrCat(from, ": no such file"));
  ChangeNames(DirectoryOf(to), {from, to}, {nullptr, found->second});
  return OkStatus();
}

Status SimulatedFileSystem::Remove(const std::string& path) {
  if (names_.count(path) == 0) return absl::NotFoundError(StrCat(path, ": no such file"));
  ChangeNames(DirectoryOf(path), {path}, {nullptr});
  return OkStatus();
}

void SimulatedFileSystem::ChangeNames(const std::string& directory, const std::vector<std::string>& paths,
                                      const std::vector<InodePtr>& inodes) {
  const bool ends = IsTheLast();
  if (ends && random_.Chance(0.5)) throw SimulatedCrash();
  NameChange change{.directory = directory, .before = {}};
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto before = names_.find(paths[i]);
    change.before[paths[i]] = before == names_.end() ? nullptr : before->second;
    if (inodes[i] == nullptr) {
      names_.erase(paths[i]);
    } else {
      names_[paths[i]] = inodes[i];
    }
  }
  unsynced_names_.push_back(std::move(change));
  if (ends) throw SimulatedCrash();
}

Status SimulatedFileSystem::CreateDirectory(const std::string& path) {
  if (!Exists(path)) directories_.push_back(path);
  return OkStatus();
}

Status SimulatedFileSystem::SyncDirectory(const std::string& path) {
  RETURN_IF_ERROR(TakeError(Operation::kSyncDirectory));
  const bool ends = IsTheLast();
  if (!ends || random_.Chance(0.5)) {
    std::erase_if(unsynced_names_, [&](const NameChange& change) { return change.directory == path; });
  }
  if (ends) throw SimulatedCrash();
  return OkStatus();
}

StatusOr<std::vector<std::string>> SimulatedFileSystem::List(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (DirectoryOf(path) == directory) names.push_back(path.substr(directory.size() + 1));
  }
  return names;
}

bool SimulatedFileSystem::Exists(const std::string& path) {
  return names_.count(path) > 0 || std::find(directories_.begin(), directories_.end(), path) != directories_.end();
}

StatusOr<std::unique_ptr<FileLock>> SimulatedFileSystem::Lock(const std::string& path) {
  if (locks_->held.count(path) > 0) {
    return absl::FailedPreconditionError(StrCat(path, " is locked by another process"));
  }
  return std::unique_ptr<FileLock>(std::make_unique<HeldLock>(locks_, path));
}

}  // namespace decree::paxos
