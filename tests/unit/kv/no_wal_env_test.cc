#include "kv/no_wal_env.h"

#include <string>

#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

class NoWalEnvTest : public testing::Test {
 protected:
  leveldb::WritableFile* Make(const std::string& path) {
    leveldb::WritableFile* file = nullptr;
    const leveldb::Status status = env_.NewWritableFile(path, &file);
    CHECK(status.ok()) << status.ToString();
    return file;
  }

  paxos::SimulatedFileSystem files_{1};
  check::FileSystemEnv target_{files_};
  NoWalEnv env_{target_.disk()};
};

TEST_F(NoWalEnvTest, ALogIsThereAndEmpty) {
  const std::unique_ptr<leveldb::WritableFile> log(Make("store/000003.log"));
  EXPECT_TRUE(log->Append("a write-ahead record").ok());
  EXPECT_TRUE(log->Sync().ok());
  EXPECT_EQ(files_.Contents("store/000003.log"), "");
  const std::unique_ptr<leveldb::WritableFile> table(Make("store/000004.ldb"));
  EXPECT_TRUE(table->Append("a table").ok());
  EXPECT_EQ(files_.Contents("store/000004.ldb"), "a table");
}

TEST_F(NoWalEnvTest, ARenameIsDurable) {
  const std::unique_ptr<leveldb::WritableFile> file(Make("store/000001.dbtmp"));
  EXPECT_TRUE(file->Append("MANIFEST-000001\n").ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(env_.RenameFile("store/000001.dbtmp", "store/CURRENT").ok());
  files_.LosePower();
  EXPECT_EQ(files_.Contents("store/CURRENT"), "MANIFEST-000001\n");
}

TEST_F(NoWalEnvTest, AFailingSyncEndsTheProcess) {
  const std::unique_ptr<leveldb::WritableFile> file(Make("store/000004.ldb"));
  EXPECT_DEATH(
      {
        files_.FailNext(paxos::SimulatedFileSystem::Operation::kSync, absl::InternalError("EIO"));
        static_cast<void>(file->Sync());
      },
      "store/000004.ldb: sync: .*EIO");
  EXPECT_DEATH(
      {
        files_.FailNext(paxos::SimulatedFileSystem::Operation::kSyncDirectory,
                        absl::InternalError("EIO"));
        static_cast<void>(env_.RenameFile("store/000004.ldb", "store/000005.ldb"));
      },
      "sync of its directory: .*EIO");
}

TEST_F(NoWalEnvTest, AFailingWriteComesBack) {
  const std::unique_ptr<leveldb::WritableFile> file(Make("store/000004.ldb"));
  files_.FailNext(paxos::SimulatedFileSystem::Operation::kWrite, absl::InternalError("full"));
  EXPECT_FALSE(file->Append("bytes").ok());
}

TEST(StoreTest, ADamagedTableIsNeverAMissingKey) {
  paxos::SimulatedFileSystem files(1);
  {
    OpenStore kv(files);
    for (int i = 0; i < 100; ++i) kv.ApplyOne(PutCommand("k", std::string(2000, 'v')));
  }
  const auto names = files.List(kStorePath);
  for (const std::string& name : *names) {
    if (!name.ends_with(".ldb")) continue;
    for (uint64_t offset = 0; offset < 4000; ++offset) {
      files.Rot(StrCat(kStorePath, "/", name), offset);
    }
  }
  EXPECT_DEATH(
      {
        OpenStore kv(files);
        static_cast<void>(kv.ValueOf("k"));
      },
      "cannot be read|is damaged");
}

}  // namespace
}  // namespace decree::kv
