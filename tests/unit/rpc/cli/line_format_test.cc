#include "rpc/cli/line_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/base/random.h"

namespace decree::rpc::cli {
namespace {

TEST(LineFormatTest, EscapesWhatWouldBreakALine) {
  EXPECT_EQ(Escape("plain"), "plain");
  EXPECT_EQ(Escape("a\tb\nc\\d"), "a\\tb\\nc\\\\d");
  EXPECT_EQ(Escape(std::string("\0\r\x7f", 3)), "\\x00\\x0d\\x7f");
  EXPECT_EQ(Escape("gr\xc3\xbcn \xff"), "gr\xc3\xbcn \xff") << "UTF-8 and other high bytes stay";
}

TEST(LineFormatTest, AValueMayHaveATabInIt) {
  const auto line = ParseLine("key\tone\ttwo\\tthree");
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->first, "key");
  EXPECT_EQ(line->second, "one\ttwo\tthree");
}

TEST(LineFormatTest, WrongLinesAreRefused) {
  for (const char* text : {"", "no tab", "\tno key"}) {
    EXPECT_THAT(std::string(ParseLine(text).status().message()), testing::HasSubstr("KEY<TAB>VALUE")) << text;
  }
  for (const char* text : {"\\", "\\q", "\\x", "\\x1", "\\xg0", "\\x 1", "ends \\"}) {
    EXPECT_THAT(std::string(Unescape(text).status().message()), testing::HasSubstr("is no escape")) << text;
  }
  EXPECT_FALSE(ParseLine("k\\q\tv").ok());
  EXPECT_FALSE(ParseLine("k\tv\\").ok());
}

TEST(LineFormatTest, AnyBytesComeBack) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string key(1 + random.Below(8), '\0');
    std::string value(random.Below(40), '\0');
    for (char& byte : key) byte = static_cast<char>(random.Next());
    for (char& byte : value) byte = static_cast<char>(random.Next());
    const std::string line = MakeLine(key, value);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto parsed = ParseLine(line);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, std::pair(key, value));
  }
}

}  // namespace
}  // namespace decree::rpc::cli
