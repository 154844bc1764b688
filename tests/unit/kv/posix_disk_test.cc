#include "kv/posix_disk.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kv/store.h"

namespace decree::kv {
namespace {

class PosixDiskTest : public testing::Test {
 protected:
  PosixDiskTest() { CHECK(mkdtemp(path_.data()) != nullptr); }
  ~PosixDiskTest() override { std::filesystem::remove_all(path_); }

  std::unique_ptr<Store> Open() {
    auto store = Store::Open(path_, PosixDisk(), {.write_buffer_bytes = 64 << 10});
    CHECK(store.ok()) << store.status();
    return std::move(*store);
  }

  std::string path_ = testing::TempDir() + "/decree_store_XXXXXX";
};

std::string Maps() {
  std::ifstream file("/proc/self/maps");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST_F(PosixDiskTest, AStoreKeepsWhatItHasFlushedAndIsNotMapped) {
  {
    const std::unique_ptr<Store> store = Open();
    for (int i = 0; i < 300; ++i) {
      leveldb::WriteBatch batch;
      batch.Put("first", "1");
      batch.Put(StrCat("key", i), std::string(2000, 'v'));
      store->Write(batch);
    }
  }
  const std::unique_ptr<Store> store = Open();
  EXPECT_EQ(store->Get("first"), "1");
  EXPECT_FALSE(store->Get("key299").has_value()) << "there is no log to take it from";
  EXPECT_GT(store->SizeBytes(), 0u);
  EXPECT_THAT(Maps(), testing::Not(testing::HasSubstr(".ldb")));
}

TEST_F(PosixDiskTest, AFileIsReadAtAnyPlace) {
  std::ofstream(path_ + "/file") << "0123456789";
  leveldb::RandomAccessFile* opened = nullptr;
  ASSERT_TRUE(PosixDisk().env->NewRandomAccessFile(path_ + "/file", &opened).ok());
  const std::unique_ptr<leveldb::RandomAccessFile> file(opened);
  char buffer[16];
  leveldb::Slice bytes;
  ASSERT_TRUE(file->Read(3, 4, &bytes, buffer).ok());
  EXPECT_EQ(bytes.ToString(), "3456");
  ASSERT_TRUE(file->Read(8, 4, &bytes, buffer).ok());
  EXPECT_EQ(bytes.ToString(), "89") << "what is there before the end";
}

TEST_F(PosixDiskTest, WhatCannotBeOpenedOrReadIsNamed) {
  leveldb::RandomAccessFile* opened = nullptr;
  EXPECT_TRUE(PosixDisk().env->NewRandomAccessFile(path_ + "/absent", &opened).IsNotFound());
  ASSERT_TRUE(PosixDisk().env->NewRandomAccessFile(path_, &opened).ok()) << "a directory opens";
  const std::unique_ptr<leveldb::RandomAccessFile> directory(opened);
  char buffer[4];
  leveldb::Slice bytes;
  const leveldb::Status read = directory->Read(0, 4, &bytes, buffer);
  EXPECT_TRUE(read.IsIOError());
  EXPECT_THAT(read.ToString(), testing::HasSubstr(path_));
}

}  // namespace
}  // namespace decree::kv
