#include "kv/key_codec.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "kv/key_record.h"

namespace decree::kv {
namespace {

TEST(KeyCodecTest, SignpostsAreInOrderOfKeyThenRevision) {
  const std::vector<std::string> keys{std::string(1, '\0'),
                                      std::string(2, '\0'),
                                      std::string("\0a", 2),
                                      std::string("\0\xff", 2),
                                      "a",
                                      std::string("a\0", 2),
                                      std::string("a\0\xff", 3),
                                      "aa",
                                      "b",
                                      "\xff",
                                      "\xff\xff"};
  std::vector<std::string> encoded;
  for (const std::string& key : keys) {
    for (const Revision revision : {Revision{2, 0}, Revision{7, 1}, Revision{7, 2}, Revision{1ull << 40, 0}}) {
      encoded.push_back(SignpostKey(key, revision));
      EXPECT_EQ(RevisionOfSignpost(encoded.back()), revision);
      EXPECT_EQ(KeyOfSignpost(encoded.back()), key);
    }
    encoded.push_back(SignpostsEnd(key));
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
  EXPECT_LT(MetaKey(Meta::kState), ChangeKey({}));
  EXPECT_LT(ChangeKey({.main = UINT64_MAX, .sub = UINT32_MAX}), SessionKey(0));
  EXPECT_LT(SessionsEnd(), SignpostKey("", {}));
  EXPECT_GT(HeadsEnd(), HeadKey(std::string(4096, '\xff')));
  EXPECT_GT(SignpostsEnd(), SignpostKey(std::string(4096, '\xff'), {}));
}

TEST(KeyCodecTest, TheLayoutNeverChanges) {
  EXPECT_EQ(HeadKey("k"), std::string("\0\0\0\0hk", 6));
  EXPECT_EQ(ChangeKey({.main = 0x0102, .sub = 3}), std::string("\0\0\0\0r\0\0\0\0\0\0\1\2\0\0\0\3", 17));
  EXPECT_EQ(SignpostKey("k", {.main = 1, .sub = 2}), std::string("\0\0\0\0vk\0\x01\0\0\0\0\0\0\0\1\0\0\0\2", 20));
  EXPECT_EQ(MetaKey(Meta::kState), std::string("\0\0\0\0ms", 6));
}

TEST(KeyRecordTest, ComesBackAsItWas) {
  const KeyRecord record{.counters = {.create_revision = 3,
                                      .modified = {.main = 9, .sub = 4},
                                      .version = 5,
                                      .lease = 77,
                                      .value_bytes = 3},
                         .deleted = false,
                         .previous = {.main = 8, .sub = 1},
                         .value = std::string("a\0b", 3)};
  const std::string bytes = EncodeKeyChange("key", record);
  const auto change = DecodeKeyChange(bytes);
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->key, "key");
  EXPECT_EQ(change->record, record);
  EXPECT_EQ(KeyOfChange(bytes), "key");
  EXPECT_EQ(RequireChangeOf("key", bytes), record);
  const auto counters = DecodeKeyCounters(EncodeKeyCounters(record.counters));
  ASSERT_TRUE(counters.ok()) << counters.status();
  EXPECT_EQ(*counters, record.counters);
}

TEST(KeyRecordTest, IsRefusedWhenCutShortOrTooLong) {
  const std::string change = EncodeKeyChange("key", {.counters = {.version = 1}, .value = ""});
  for (size_t size = 0; size < change.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeKeyChange(change.substr(0, size)).status())) << size;
  }
  const std::string counters = EncodeKeyCounters({.version = 1});
  for (size_t size = 0; size < counters.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeKeyCounters(counters.substr(0, size)).status())) << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeKeyCounters(counters + "x").status()));
}

TEST(KeyRecordTest, ASubRevisionThatDoesNotFitIsRefused) {
  std::string bytes = EncodeKeyCounters({.modified = {.main = 1, .sub = UINT32_MAX}});
  ASSERT_TRUE(DecodeKeyCounters(bytes).ok());
  ASSERT_EQ(bytes[6], 0x0f) << "the highest bits of the sub-revision";
  bytes[6] = 0x1f;
  EXPECT_TRUE(absl::IsDataLoss(DecodeKeyCounters(bytes).status()));
}

TEST(KeyRecordTest, AValueOfAnotherSizeThanTheCountersSayIsRefused) {
  const std::string change = EncodeKeyChange("key", {.counters = {.value_bytes = 2}, .value = "ab"});
  ASSERT_TRUE(DecodeKeyChange(change).ok());
  EXPECT_TRUE(absl::IsDataLoss(DecodeKeyChange(change + "c").status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeKeyChange(change.substr(0, change.size() - 1)).status()));
}

TEST(KeyRecordDeathTest, AnotherKeysChangeEndsTheProcess) {
  const std::string bytes = EncodeKeyChange("key", {.counters = {.version = 1}, .value = ""});
  EXPECT_DEATH(RequireChangeOf("other", bytes), "of another key");
}

}  // namespace
}  // namespace decree::kv
