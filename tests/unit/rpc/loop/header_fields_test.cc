#include "rpc/loop/header_fields.h"

#include <string>

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

size_t Count(const std::string& block) {
  HeaderFields whole;
  whole.Follow(block);
  HeaderFields by_byte;
  for (const char byte : block) by_byte.Follow({&byte, 1});
  EXPECT_EQ(by_byte.count(), whole.count());
  return whole.count();
}

// What RFC 7541 shows in its appendix C.
TEST(HeaderFieldsTest, CountsThoseOfTheStandardsExamples) {
  EXPECT_EQ(Count("\x40\x0a"
                  "custom-key\x0d"
                  "custom-header"),
            1u);
  EXPECT_EQ(Count("\x04\x0c/sample/path"), 1u);
  EXPECT_EQ(Count("\x10\x08password\x06secret"), 1u);
  EXPECT_EQ(Count("\x82"), 1u);
  EXPECT_EQ(Count("\x82\x86\x84\x41\x0fwww.example.com"), 4u);
  EXPECT_EQ(Count("\x82\x87\x85\xbf\x40\x0a"
                  "custom-key\x0c"
                  "custom-value"),
            5u);
  EXPECT_EQ(Count("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), 4u);
}

TEST(HeaderFieldsTest, NumbersMayGoOn) {
  EXPECT_EQ(Count("\xff\x80\x01\x82"), 2u);
  EXPECT_EQ(Count("\x7f\x80\x01\x01v\x82"), 2u);
  EXPECT_EQ(Count("\x0f\x80\x01\x01v\x82"), 2u);
  EXPECT_EQ(Count("\x1f\x01\x01v\x82"), 2u);
}

TEST(HeaderFieldsTest, StringsMayBeLongOrEmpty) {
  const std::string two_hundred = std::string("\x7f\x49") + std::string(200, '\x82');
  EXPECT_EQ(Count(std::string("\x40") + two_hundred + two_hundred + "\x82"), 2u);
  EXPECT_EQ(Count("\x04\x7f\x80\x01" + std::string(255, '\x82') + "\x82"), 2u);
  EXPECT_EQ(Count(std::string("\x40\0\0\x82", 4)), 2u);
  EXPECT_EQ(Count(std::string("\x04\0\x82", 3)), 2u);
}

TEST(HeaderFieldsTest, AChangeOfTheTablesSizeIsNone) { EXPECT_EQ(Count("\x20\x3f\xe1\x1f\x82"), 1u); }

TEST(HeaderFieldsTest, NumbersWithoutEndDoNoHarm) {
  EXPECT_EQ(Count("\xff" + std::string(1000, '\xff')), 1u);
  EXPECT_EQ(Count("\x04\xff" + std::string(1000, '\xff')), 1u);
}

}  // namespace
}  // namespace decree::rpc
