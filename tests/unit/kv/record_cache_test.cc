#include "kv/record_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace decree::kv {
namespace {

KeyRecord WithValue(std::string value) {
  return {.counters = {.create_revision = 2,
                       .modified = {.main = 9, .sub = 1},
                       .version = 3,
                       .lease = 4,
                       .value_bytes = static_cast<uint32_t>(value.size())},
          .previous = {.main = 7},
          .value = std::move(value)};
}

std::string KeyAt(int key) { return "key" + std::to_string(key); }

TEST(RecordCacheTest, FindsTheNewestRecordUntilTheKeyHasNone) {
  RecordCache cache(1 << 20);
  EXPECT_EQ(cache.Find("k"), std::nullopt);
  cache.Set(EncodeKeyChange("k", WithValue("one")));
  const std::optional<KeyRecord> held = cache.Find("k");
  ASSERT_NE(held, std::nullopt);
  EXPECT_EQ(*held, WithValue("one"));
  cache.Set(EncodeKeyChange("k", WithValue("two")));
  EXPECT_EQ(cache.Find("k")->value, "two");
  cache.Forget("k");
  EXPECT_EQ(cache.Find("k"), std::nullopt);
  cache.Forget("never seen");
}

TEST(RecordCacheTest, HoldsNoMoreThanItMayAndKeepsWhatIsUsed) {
  constexpr size_t kBytes = 1 << 20;
  constexpr size_t kValueBytes = 1000;
  constexpr int kKeys = 5000;
  RecordCache cache(kBytes);
  cache.Set(EncodeKeyChange("used", WithValue("v")));
  for (int key = 0; key < kKeys; ++key) {
    cache.Set(EncodeKeyChange(KeyAt(key), WithValue(std::string(kValueBytes, 'v'))));
    ASSERT_NE(cache.Find("used"), std::nullopt) << "forgotten, though used a moment before, at " << key;
  }
  size_t found = 0;
  for (int key = 0; key < kKeys; ++key) found += cache.Find(KeyAt(key)) != std::nullopt ? 1 : 0;
  EXPECT_LT(found * kValueBytes, kBytes);
  EXPECT_GT(found * kValueBytes, kBytes / 2);
}

TEST(RecordCacheTest, AnyBytesMayBeKeysAndOneMayBeginLikeAnother) {
  RecordCache cache(1 << 20);
  const std::string keys[] = {"a", "ab", std::string("a\0", 2), std::string(4096, '\xff'), ""};
  for (const std::string& key : keys) cache.Set(EncodeKeyChange(key, WithValue("of " + key)));
  for (const std::string& key : keys) {
    ASSERT_NE(cache.Find(key), std::nullopt);
    EXPECT_EQ(cache.Find(key)->value, "of " + key);
  }
  cache.Forget("a");
  EXPECT_EQ(cache.Find("a"), std::nullopt);
  EXPECT_NE(cache.Find("ab"), std::nullopt);
}

TEST(RecordCacheTest, WhatIsLargerThanTheCacheIsNotKept) {
  RecordCache cache(1 << 10);
  cache.Set(EncodeKeyChange("large", WithValue(std::string(1 << 10, 'v'))));
  EXPECT_EQ(cache.Find("large"), std::nullopt);
  cache.Set(EncodeKeyChange("small", WithValue("v")));
  EXPECT_NE(cache.Find("small"), std::nullopt);
}

}  // namespace
}  // namespace decree::kv
