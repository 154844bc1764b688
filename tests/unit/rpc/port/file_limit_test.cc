#include "rpc/port/file_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::HasSubstr;

// The files of log, peers and the rest.
uint64_t Others(const FileShares& shares) {
  return shares.limit - static_cast<uint64_t>(shares.store) - shares.clients;
}

TEST(FileLimitTest, AllHaveWhatTheyMayIfThereIsEnough) {
  const auto shares = ShareFiles(1 << 20, 500, 4096);
  ASSERT_TRUE(shares.ok());
  EXPECT_EQ(shares->store, 500);
  EXPECT_EQ(shares->clients, 4096u);
}

TEST(FileLimitTest, ClientsHaveWhatIsLeft) {
  for (uint64_t limit = 400; limit < 8000; limit += 100) {
    const auto shares = ShareFiles(limit, 500, 4096);
    ASSERT_TRUE(shares.ok()) << limit;
    EXPECT_GE(Others(*shares), 288u) << limit;
    EXPECT_GE(shares->store, 74) << limit;
    EXPECT_GE(shares->clients, 32u) << limit;
  }
}

TEST(FileLimitTest, TooFewAreRefusedWithWhatIsNeeded) {
  const auto shares = ShareFiles(120, 500, 4096);
  ASSERT_FALSE(shares.ok());
  EXPECT_THAT(std::string(shares.status().message()), HasSubstr("only 120 files open, and needs 394"));
  EXPECT_FALSE(ShareFiles(393, 500, 4096).ok());
  EXPECT_TRUE(ShareFiles(394, 500, 4096).ok());
}

}  // namespace
}  // namespace decree::rpc
