#include "kv/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

using testing::HasSubstr;

TEST(CommandTest, LimitsAreNamedWithTheSize) {
  EXPECT_TRUE(CheckKey(std::string(4096, 'k')).ok());
  EXPECT_THAT(CheckKey(std::string(4097, 'k')).ToString(), HasSubstr("4097 bytes; the limit is 4096"));
  EXPECT_THAT(CheckKey("").ToString(), HasSubstr("the key is empty"));
  EXPECT_TRUE(CheckValue("").ok());
  EXPECT_TRUE(CheckValue(std::string(1 << 20, 'v')).ok());
  EXPECT_THAT(CheckValue(std::string((1 << 20) + 1, 'v')).ToString(), HasSubstr("1048577 bytes; the limit is 1048576"));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckKey("")));
}

TEST(CommandTest, ASwapMustNameWhatItExpects) {
  v1::Command command = SwapCommand("k", "v");
  EXPECT_THAT(CheckCommand(command).ToString(), HasSubstr("names what it expects"));
  command.mutable_compare_and_swap()->set_expected_absent(false);
  EXPECT_FALSE(CheckCommand(command).ok());
  command.mutable_compare_and_swap()->set_expected_absent(true);
  EXPECT_TRUE(CheckCommand(command).ok());
  command.mutable_compare_and_swap()->set_expected_value(std::string((1 << 20) + 1, 'v'));
  EXPECT_FALSE(CheckCommand(command).ok());
}

TEST(CommandTest, BytesFromOutsideAreParsedOrRefused) {
  EXPECT_FALSE(ParseCommand("\xff\xff\xff\xff").has_value());
  ASSERT_TRUE(ParseCommand("").has_value());
  EXPECT_FALSE(CheckCommand(*ParseCommand("")).ok());
}

}  // namespace
}  // namespace decree::kv
