#include "rpc/cli/export_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc::cli {
namespace {

using testing::HasSubstr;

class ExportFileTest : public testing::Test {
 protected:
  void SetPart(const std::string& text) { std::ofstream(PartPath(file_), std::ios::binary) << text; }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Each test has a directory of its own, for they run at the same time.
  static std::string MakeDirectory() {
    std::string path = testing::TempDir() + "/decree_export_XXXXXX";
    CHECK(mkdtemp(path.data()) != nullptr) << path;
    return path;
  }
  ~ExportFileTest() override { std::filesystem::remove_all(directory_); }

  const std::string directory_ = MakeDirectory();
  const std::string file_ = directory_ + "/keys";
};

TEST_F(ExportFileTest, OwnLinesComeBackAndAreNoKeys) {
  const ExportHeader header{.revision = 17, .store_epoch = 2, .prefix = "a b\t\n, prefix "};
  EXPECT_EQ(ParseHeaderLine(HeaderLine(header)), header);
  EXPECT_TRUE(IsRemark(HeaderLine(header)));
  EXPECT_EQ(ParseEndLine(EndLine(1000)), 1000u);
  EXPECT_TRUE(IsRemark(EndLine(1000)));
  EXPECT_FALSE(IsRemark("#key\tvalue")) << "a key may begin so";
  for (const char* line : {"", "# note", "# decree export of revision x, epoch 1, prefix ",
                           "# decree export of revision 99999999999999999999, epoch 1, prefix "}) {
    EXPECT_EQ(ParseHeaderLine(line), std::nullopt) << line;
  }
  EXPECT_EQ(ParseEndLine(EndLine(3) + "x"), std::nullopt);
}

TEST_F(ExportFileTest, WhatIsLeftIsTakenUpToItsLastWholeLine) {
  const std::string whole = HeaderLine({.revision = 5, .store_epoch = 1, .prefix = "a"}) + "\na\\t1\tx\na2\ty\n";
  SetPart(whole + "a3\tcut of");
  const auto left = ReadPartialExport(PartPath(file_));
  ASSERT_TRUE(left.ok() && left->has_value()) << left.status();
  EXPECT_EQ((*left)->header.revision, 5u);
  EXPECT_EQ((*left)->keys, 2u);
  EXPECT_EQ((*left)->last_key, "a2");
  EXPECT_EQ((*left)->bytes, whole.size());
  EXPECT_FALSE((*left)->is_whole);

  auto writer = ExportWriter::Open(file_, (*left)->bytes);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Write("a3\tz\n").ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(Read(file_), whole + "a3\tz\n");
  EXPECT_FALSE(std::filesystem::exists(PartPath(file_)));
}

TEST_F(ExportFileTest, APartThatIsWholeIsSeenToBe) {
  SetPart(HeaderLine({.revision = 5, .store_epoch = 1, .prefix = ""}) + "\na\tx\n" + EndLine(1) + "\n");
  const auto left = ReadPartialExport(PartPath(file_));
  ASSERT_TRUE(left.ok() && left->has_value()) << left.status();
  EXPECT_TRUE((*left)->is_whole);
  EXPECT_EQ((*left)->keys, 1u);
}

TEST_F(ExportFileTest, SomethingElseInThePlaceIsLeftAlone) {
  EXPECT_EQ(*ReadPartialExport(PartPath(file_)), std::nullopt);
  for (const char* text : {"", "notes", "notes\n", "# decree export of revision 5"}) {
    SetPart(text);
    const auto left = ReadPartialExport(PartPath(file_));
    EXPECT_THAT(std::string(left.status().message()), HasSubstr("is in the way")) << text;
  }
  SetPart(HeaderLine({.revision = 5, .store_epoch = 1, .prefix = ""}) + "\na\tx\nnotes\n");
  EXPECT_THAT(std::string(ReadPartialExport(PartPath(file_)).status().message()), HasSubstr("line 3"));
}

TEST_F(ExportFileTest, AFileThatCannotBeWrittenIsNamed) {
  const auto writer = ExportWriter::Open(directory_ + "/absent/keys", 0);
  EXPECT_THAT(std::string(writer.status().message()), HasSubstr("absent/keys.part cannot be opened: No such"));
}

}  // namespace
}  // namespace decree::rpc::cli
