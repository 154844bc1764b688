#include "kv/store.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <gmock/gmock.h>

#include "paxos/fs/posix_file_system.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

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

// ---- On the machine's own files ----

class StoreOnDiskTest : public testing::Test {
 protected:
  StoreOnDiskTest() { CHECK(mkdtemp(path_.data()) != nullptr); }
  ~StoreOnDiskTest() override { std::filesystem::remove_all(path_); }

  std::unique_ptr<Store> Open() {
    auto store = Store::Open(path_, files_, {.write_buffer_bytes = 64 << 10});
    CHECK(store.ok()) << store.status();
    return *std::move(store);
  }

  std::string path_ = testing::TempDir() + "/decree_store_XXXXXX";
  paxos::PosixFileSystem files_;
};

std::string Maps() {
  std::ifstream file("/proc/self/maps");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST_F(StoreOnDiskTest, AStoreKeepsWhatItHasFlushedAndIsNotMapped) {
  {
    const std::unique_ptr<Store> store = Open();
    for (int i = 0; i < 300; ++i) {
      leveldb::WriteBatch batch;
      batch.Put("first", "1");
      batch.Put(StrCat("key", i), std::string(2000, 'v'));
      store->Write(batch);
    }
  }
  // A file system of its own has such a directory.
  std::filesystem::create_directory(path_ + "/lost+found");
  const std::unique_ptr<Store> store = Open();
  EXPECT_EQ(store->Get("first"), "1");
  EXPECT_FALSE(store->Get("key299").has_value()) << "there is no log to take it from";
  EXPECT_GT(store->SizeBytes(), 0u);
  EXPECT_THAT(Maps(), testing::Not(testing::HasSubstr(".ldb")));
}

TEST_F(StoreOnDiskTest, ADirectoryIsOpenedOnce) {
  const std::unique_ptr<Store> store = Open();
  const auto second = Store::Open(path_, files_, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr("another process uses this directory"));
}

}  // namespace
}  // namespace decree::kv
