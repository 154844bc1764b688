#include "kv/store_env.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>

#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

using Operation = paxos::SimulatedFileSystem::Operation;
using testing::HasSubstr;

class StoreEnvTest : public testing::Test {
 protected:
  std::unique_ptr<leveldb::WritableFile> Make(const std::string& path) {
    leveldb::WritableFile* file = nullptr;
    const leveldb::Status status = env_.NewWritableFile(path, &file);
    CHECK(status.ok()) << status.ToString();
    return std::unique_ptr<leveldb::WritableFile>(file);
  }
  // A file of these bytes, durable.
  void Write(const std::string& path, const std::string& bytes) {
    const auto file = Make(path);
    CHECK(file->Append(bytes).ok() && file->Sync().ok() && file->Close().ok());
  }

  paxos::SimulatedFileSystem files_{1};
  check::ManualEnv host_;
  StoreEnv env_{files_, host_};
};

TEST_F(StoreEnvTest, ALogIsThereAndEmpty) {
  const auto log = Make("store/000003.log");
  EXPECT_TRUE(log->Append("a write-ahead record").ok());
  EXPECT_TRUE(log->Sync().ok());
  EXPECT_EQ(files_.Contents("store/000003.log"), "");
}

TEST_F(StoreEnvTest, WhatIsSmallIsGatheredUntilItIsSyncedOrClosed) {
  const auto table = Make("store/000004.ldb");
  EXPECT_TRUE(table->Append("a ").ok());
  EXPECT_TRUE(table->Flush().ok());
  EXPECT_EQ(files_.Contents("store/000004.ldb"), "");
  EXPECT_TRUE(table->Append("table").ok());
  EXPECT_TRUE(table->Sync().ok());
  EXPECT_EQ(files_.Contents("store/000004.ldb"), "a table");
  EXPECT_TRUE(table->Append(std::string(64 << 10, 'x')).ok());
  EXPECT_EQ(files_.Contents("store/000004.ldb").size(), 7u + (64 << 10));
  EXPECT_TRUE(table->Append("end").ok());
  EXPECT_TRUE(table->Close().ok());
  EXPECT_EQ(files_.Contents("store/000004.ldb").substr(7 + (64 << 10)), "end");
}

TEST_F(StoreEnvTest, WhatWasSyncedOutlivesTheLossOfPowerUnderItsName) {
  const auto table = Make("store/000004.ldb");
  EXPECT_TRUE(table->Append("a table").ok());
  EXPECT_TRUE(table->Sync().ok());
  files_.LosePower();
  ASSERT_TRUE(files_.Exists("store/000004.ldb"));
  EXPECT_EQ(files_.Contents("store/000004.ldb"), "a table");
}

TEST_F(StoreEnvTest, ARenameIsDurable) {
  Write("store/000001.dbtmp", "MANIFEST-000001\n");
  EXPECT_TRUE(env_.RenameFile("store/000001.dbtmp", "store/CURRENT").ok());
  files_.LosePower();
  EXPECT_EQ(files_.Contents("store/CURRENT"), "MANIFEST-000001\n");
}

TEST_F(StoreEnvTest, AFailingSyncEndsTheProcess) {
  const auto file = Make("store/000004.ldb");
  const auto fail = [this](Operation operation) { files_.FailNext(operation, absl::InternalError("EIO")); };
  EXPECT_DEATH((fail(Operation::kSync), static_cast<void>(file->Sync())), "store/000004.ldb: sync: .*EIO");
  EXPECT_DEATH((fail(Operation::kSyncDirectory), static_cast<void>(file->Sync())), "sync of its directory: .*EIO");
  EXPECT_DEATH(
      (fail(Operation::kSyncDirectory), static_cast<void>(env_.RenameFile("store/000004.ldb", "store/000005.ldb"))),
      "sync of its directory: .*EIO");
}

TEST_F(StoreEnvTest, AFailingWriteComesBack) {
  const auto file = Make("store/000004.ldb");
  files_.FailNext(Operation::kWrite, absl::ResourceExhaustedError("full"));
  EXPECT_TRUE(file->Append("bytes").ok()) << "gathered";
  EXPECT_THAT(file->Sync().ToString(), HasSubstr("full"));
  files_.FailNext(Operation::kWrite, absl::ResourceExhaustedError("full"));
  EXPECT_TRUE(file->Append("bytes").ok());
  EXPECT_THAT(file->Close().ToString(), HasSubstr("full"));
}

TEST_F(StoreEnvTest, AFileThatIsMadeAgainIsEmpty) {
  Write("store/000001.dbtmp", "old");
  Write("store/000001.dbtmp", "n");
  EXPECT_EQ(files_.Contents("store/000001.dbtmp"), "n");
  uint64_t bytes = 0;
  EXPECT_TRUE(env_.GetFileSize("store/000001.dbtmp", &bytes).ok());
  EXPECT_EQ(bytes, 1u);
}

TEST_F(StoreEnvTest, AFileIsReadAtAnyOffsetAndFromItsBeginning) {
  Write("store/000004.ldb", "0123456789");
  leveldb::RandomAccessFile* opened = nullptr;
  ASSERT_TRUE(env_.NewRandomAccessFile("store/000004.ldb", &opened).ok());
  const std::unique_ptr<leveldb::RandomAccessFile> file(opened);
  char buffer[16];
  leveldb::Slice bytes;
  ASSERT_TRUE(file->Read(3, 4, &bytes, buffer).ok());
  EXPECT_EQ(bytes.ToString(), "3456");
  ASSERT_TRUE(file->Read(8, 4, &bytes, buffer).ok());
  EXPECT_EQ(bytes.ToString(), "89") << "what is there before the end";

  leveldb::SequentialFile* first = nullptr;
  ASSERT_TRUE(env_.NewSequentialFile("store/000004.ldb", &first).ok());
  const std::unique_ptr<leveldb::SequentialFile> sequential(first);
  ASSERT_TRUE(sequential->Read(4, &bytes, buffer).ok());
  EXPECT_EQ(bytes.ToString(), "0123");
  ASSERT_TRUE(sequential->Skip(2).ok());
  ASSERT_TRUE(sequential->Read(16, &bytes, buffer).ok());
  EXPECT_EQ(bytes.ToString(), "6789");
  ASSERT_TRUE(sequential->Read(16, &bytes, buffer).ok());
  EXPECT_TRUE(bytes.empty());
}

TEST_F(StoreEnvTest, WhatIsAbsentIsToldFromWhatCannotBeRead) {
  leveldb::RandomAccessFile* opened = nullptr;
  EXPECT_TRUE(env_.NewRandomAccessFile("store/absent", &opened).IsNotFound());
  EXPECT_EQ(opened, nullptr);
  Write("store/000004.ldb", "bytes");
  ASSERT_TRUE(env_.NewRandomAccessFile("store/000004.ldb", &opened).ok());
  const std::unique_ptr<leveldb::RandomAccessFile> file(opened);
  files_.FailNext(Operation::kRead, absl::InternalError("EIO"));
  char buffer[4];
  leveldb::Slice bytes;
  const leveldb::Status read = file->Read(0, 4, &bytes, buffer);
  EXPECT_TRUE(read.IsIOError());
  EXPECT_THAT(read.ToString(), HasSubstr("EIO"));
}

TEST_F(StoreEnvTest, ADirectoryBelongsToOneProcess) {
  leveldb::FileLock* lock = nullptr;
  ASSERT_TRUE(env_.LockFile("store/LOCK", &lock).ok());
  leveldb::FileLock* second = nullptr;
  EXPECT_FALSE(env_.LockFile("store/LOCK", &second).ok());
  EXPECT_EQ(second, nullptr);
  EXPECT_TRUE(env_.UnlockFile(lock).ok());
  ASSERT_TRUE(env_.LockFile("store/LOCK", &second).ok());
  EXPECT_TRUE(env_.UnlockFile(second).ok());
}

// ---- FlushStoreFiles ----

TEST_F(StoreEnvTest, WhatAKilledProcessHasNotSyncedIsOnTheDeviceAfterwards) {
  ASSERT_TRUE(files_.CreateDirectory("store").ok());
  for (const char* name : {"store/CURRENT", "store/MANIFEST-000002", "store/000004.ldb"}) {
    const auto file = files_.Create(name);
    ASSERT_TRUE(file.ok() && (*file)->Write(0, "bytes").ok());
  }
  files_.Kill();
  ASSERT_TRUE(FlushStoreFiles(files_, "store").ok());
  files_.LosePower();
  for (const char* name : {"store/CURRENT", "store/MANIFEST-000002", "store/000004.ldb"}) {
    ASSERT_TRUE(files_.Exists(name)) << name;
    EXPECT_EQ(files_.Contents(name), "bytes") << name;
  }
}

TEST_F(StoreEnvTest, WhatAFailedSyncHasLeftInTheCacheAloneIsNotReadAgain) {
  ASSERT_TRUE(files_.CreateDirectory("store").ok());
  Write("store/000004.ldb", "old");
  {
    const auto file = files_.Open("store/000004.ldb");
    ASSERT_TRUE(file.ok() && (*file)->Write(0, "new").ok());
    files_.FailNext(Operation::kSync, absl::InternalError("EIO"));
    ASSERT_FALSE((*file)->Sync().ok());
  }
  files_.Kill();
  ASSERT_EQ(files_.Contents("store/000004.ldb"), "new");
  ASSERT_TRUE(FlushStoreFiles(files_, "store").ok());
  EXPECT_EQ(files_.Contents("store/000004.ldb"), "old");
}

TEST_F(StoreEnvTest, AFlushThatFailsIsToldAndNoDirectoryIsFine) {
  EXPECT_TRUE(FlushStoreFiles(files_, "store").ok());
  ASSERT_TRUE(files_.CreateDirectory("store").ok());
  Write("store/000004.ldb", "bytes");
  files_.FailNext(Operation::kSync, absl::InternalError("EIO"));
  EXPECT_THAT(FlushStoreFiles(files_, "store").ToString(), HasSubstr("EIO"));
}

}  // namespace
}  // namespace decree::kv
