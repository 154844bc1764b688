#include "paxos/fs/posix_file_system.h"

#include <stdlib.h>

#include <filesystem>

#include "tests/unit/paxos/log/log_fixture.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PosixFileSystemTest : public testing::Test {
 protected:
  PosixFileSystemTest() {
    std::string pattern = testing::TempDir() + "/decree_files_XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  ~PosixFileSystemTest() override { std::filesystem::remove_all(directory_); }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  PosixFileSystem files_;
  std::string directory_;
};

TEST_F(PosixFileSystemTest, WritesAndReadsAtOffsets) {
  auto file = files_.Create(Path("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->Write(3, "abc").ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(*(*file)->Size(), 6u);
  EXPECT_EQ(*(*file)->Read(0, 100), std::string("\0\0\0abc", 6));
  EXPECT_EQ(*(*file)->Read(4, 1), "b");
  EXPECT_EQ(*(*file)->Read(9, 1), "");
  EXPECT_TRUE((*file)->DropCache().ok());
  EXPECT_EQ(*(*file)->Read(3, 3), "abc") << "what is synced is still there";
}

TEST_F(PosixFileSystemTest, ErrorsNameThePath) {
  EXPECT_TRUE(absl::IsNotFound(files_.Open(Path("absent")).status()));
  EXPECT_THAT(files_.Open(Path("absent")).status().ToString(), HasSubstr(Path("absent")));
  ASSERT_TRUE(files_.Create(Path("a")).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(files_.Create(Path("a")).status()));
  EXPECT_FALSE(files_.CreateDirectory(Path("a")).ok());
  EXPECT_TRUE(absl::IsNotFound(files_.List(Path("absent")).status()));
}

TEST_F(PosixFileSystemTest, ListsRenamesAndRemoves) {
  ASSERT_TRUE(files_.Create(Path("b")).ok());
  ASSERT_TRUE(files_.Create(Path("a")).ok());
  ASSERT_TRUE(files_.CreateDirectory(Path("d")).ok());
  ASSERT_TRUE(files_.CreateDirectory(Path("d")).ok());
  EXPECT_THAT(*files_.List(directory_), ElementsAre("a", "b", "d"));
  EXPECT_TRUE(files_.Rename(Path("a"), Path("c")).ok());
  EXPECT_TRUE(files_.Remove(Path("b")).ok());
  EXPECT_TRUE(files_.SyncDirectory(directory_).ok());
  EXPECT_THAT(*files_.List(directory_), ElementsAre("c", "d"));
  EXPECT_FALSE(files_.Exists(Path("a")));
}

TEST_F(PosixFileSystemTest, ALockKeepsOthersAwayUntilItIsReleased) {
  {
    const auto lock = files_.Lock(Path("lock"));
    ASSERT_TRUE(lock.ok()) << lock.status();
    const auto second = files_.Lock(Path("lock"));
    EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
    EXPECT_THAT(second.status().ToString(), HasSubstr("stop that one first"));
  }
  EXPECT_TRUE(files_.Lock(Path("lock")).ok());
}

TEST_F(PosixFileSystemTest, CarriesALog) {
  ASSERT_TRUE(SegmentLog::Format(files_, Path("log"), MakeIdentity()).ok());
  const LogOptions options{.segment_bytes = 64 << 10};
  for (uint64_t life = 0; life < 3; ++life) {
    auto log = SegmentLog::Open(files_, Path("log"), options);
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->recovered().last_slot, Slot(life * 100));
    for (uint64_t slot = life * 100 + 1; slot <= life * 100 + 100; ++slot) {
      const RecordBatch batch{.ticket = Ticket(1), .records = {AcceptedAt(slot, std::string(1000, 'x'))}};
      (*log)->Append({&batch, 1});
    }
    while ((*log)->HasIdleWork()) (*log)->OnIdle();
    EXPECT_EQ((*log)->Read(Slot(1), Slot(1000), size_t{1} << 30)->size(), life * 100 + 100);
  }
}

}  // namespace
}  // namespace decree::paxos
