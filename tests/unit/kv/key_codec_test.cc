#include "kv/key_codec.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "kv/key_record.h"

namespace decree::kv {
namespace {

TEST(KeyCodecTest, HistoryIsInOrderOfKeyThenNewestFirst) {
  const std::vector<std::string> keys{std::string(1, '\0'), std::string(2, '\0'),
                                      std::string("\0a", 2), std::string("\0\xff", 2),
                                      "a", std::string("a\0", 2), std::string("a\0\xff", 3),
                                      "aa", "b", "\xff", "\xff\xff"};
  std::vector<std::string> encoded;
  for (const std::string& key : keys) {
    for (const Revision revision : {Revision{1ull << 40, 0}, Revision{7, 2}, Revision{7, 1},
                                    Revision{2, 0}}) {
      encoded.push_back(HistoryKey(key, revision));
      EXPECT_EQ(RevisionOf(encoded.back()), revision);
    }
    encoded.push_back(HistoryEnd(key));
  }
  std::vector<std::string> sorted = encoded;
  // Keys are in the order of their bytes, as unsigned.
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> in_order = keys;
  std::sort(in_order.begin(), in_order.end());
  ASSERT_EQ(in_order, keys);
  EXPECT_EQ(sorted, encoded);
}

TEST(KeyCodecTest, KindsDoNotMix) {
  EXPECT_NE(HeadKey("s"), MetaKey(Meta::kState));
  EXPECT_LT(HeadKey(std::string(4096, '\xff')), MetaKey(Meta::kConfiguration));
  EXPECT_LT(MetaKey(Meta::kState), HistoryKey("", {}));
}

TEST(KeyCodecTest, TheLayoutNeverChanges) {
  EXPECT_EQ(HeadKey("k"), std::string("\0\0\0\0hk", 6));
  EXPECT_EQ(HistoryKey("k", {.main = 1, .sub = 2}),
            std::string("\0\0\0\0vk\0\x01\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xfd", 20));
  EXPECT_EQ(MetaKey(Meta::kState), std::string("\0\0\0\0ms", 6));
}

TEST(KeyRecordTest, ComesBackAsItWas) {
  const KeyRecord record{.deleted = false,
                         .create_revision = 3,
                         .modified = {.main = 9, .sub = 4},
                         .version = 5,
                         .lease = 77,
                         .value = std::string("a\0b", 3)};
  const auto decoded = DecodeKeyRecord(EncodeKeyRecord(record));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, record);
}

TEST(KeyRecordTest, IsRefusedWhenCutShort) {
  const std::string bytes = EncodeKeyRecord({.version = 1, .value = ""});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeKeyRecord(bytes.substr(0, size)).status())) << size;
  }
}

}  // namespace
}  // namespace decree::kv
