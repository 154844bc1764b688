#include "bench/disk_usage.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace decree::bench {
namespace {

namespace fs = std::filesystem;

TEST(DiskUsageTest, CountsHardwareAndNotWhatStandsOnIt) {
  std::string path = testing::TempDir() + "/decree_disks_XXXXXX";
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  const fs::path devices = path;
  EXPECT_EQ(DiskBytesWritten(path), std::nullopt);
  for (const char* const name : {"sda", "nvme0n1", "loop0", "sdb"}) fs::create_directory(devices / name);
  for (const char* const name : {"sda", "nvme0n1", "sdb"}) fs::create_directory(devices / name / "device");
  std::ofstream(devices / "sda" / "stat") << " 10 20 30 40 50 60 1000 80 90\n";
  std::ofstream(devices / "nvme0n1" / "stat") << "1 2 3 4 5 6 7 8\n";
  std::ofstream(devices / "loop0" / "stat") << "1 2 3 4 5 6 5000 8\n";
  std::ofstream(devices / "sdb" / "stat") << "1 2 3\n";  // what is not understood does not count
  EXPECT_EQ(DiskBytesWritten(path), 1007u * 512);
  EXPECT_EQ(DiskBytesWritten(path + "/nowhere"), std::nullopt);
  fs::remove_all(devices);
}

}  // namespace
}  // namespace decree::bench
