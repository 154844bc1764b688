#include "tests/support/contained_file_system.h"

#include "tests/support/simulated_file_system.h"

namespace decree::check {

class ContainedFileSystem::ContainedFile final : public paxos::File {
 public:
  // `file` is null if it was made after the process had ended.
  ContainedFile(ContainedFileSystem& files, std::unique_ptr<paxos::File> file)
      : files_(files), file_(std::move(file)) {}

  StatusOr<size_t> ReadTo(uint64_t offset, size_t size, char* buffer) const override {
    if (file_ == nullptr) return 0;
    return file_->ReadTo(offset, size, buffer);
  }
  Status Write(uint64_t offset, std::string_view bytes) override {
    return files_.Contain([&] { return file_->Write(offset, bytes); });
  }
  Status Sync() override {
    return files_.Contain([&] { return file_->Sync(); });
  }
  StatusOr<uint64_t> Size() const override {
    if (file_ == nullptr) return 0;
    return file_->Size();
  }
  Status DropCache() override {
    return files_.Contain([&] { return file_->DropCache(); });
  }

 private:
  ContainedFileSystem& files_;
  const std::unique_ptr<paxos::File> file_;
};

Status ContainedFileSystem::Contain(const std::function<Status()>& change) {
  if (crashed_) return OkStatus();
  before_change_();
  try {
    return change();
  } catch (const paxos::SimulatedCrash&) {
    crashed_ = true;
    return OkStatus();
  }
}

StatusOr<std::unique_ptr<paxos::File>> ContainedFileSystem::Open(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<paxos::File> file, files_.Open(path));
  return std::unique_ptr<paxos::File>(std::make_unique<ContainedFile>(*this, std::move(file)));
}

StatusOr<std::unique_ptr<paxos::File>> ContainedFileSystem::Create(const std::string& path) {
  std::unique_ptr<paxos::File> file;
  RETURN_IF_ERROR(Contain([&]() -> Status {
    ASSIGN_OR_RETURN(file, files_.Create(path));
    return OkStatus();
  }));
  return std::unique_ptr<paxos::File>(std::make_unique<ContainedFile>(*this, std::move(file)));
}

Status ContainedFileSystem::Rename(const std::string& from, const std::string& to) {
  return Contain([&] { return files_.Rename(from, to); });
}

Status ContainedFileSystem::Remove(const std::string& path) {
  return Contain([&] { return files_.Remove(path); });
}

Status ContainedFileSystem::CreateDirectory(const std::string& path) {
  return Contain([&] { return files_.CreateDirectory(path); });
}

Status ContainedFileSystem::SyncDirectory(const std::string& path) {
  return Contain([&] { return files_.SyncDirectory(path); });
}

}  // namespace decree::check
