#include "kv/record_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace decree::kv {
namespace {

SharedRecord WithValue(std::string value) {
  return std::make_shared<const KeyRecord>(KeyRecord{.counters = {.version = 1}, .value = std::move(value)});
}

std::string KeyAt(int key) { return "key" + std::to_string(key); }

TEST(RecordCacheTest, FindsTheNewestRecordUntilTheKeyHasNone) {
  RecordCache cache(1 << 20);
  EXPECT_EQ(cache.Find("k"), nullptr);
  cache.Set("k", WithValue("one"));
  const SharedRecord held = cache.Find("k");
  cache.Set("k", WithValue("two"));
  EXPECT_EQ(cache.Find("k")->value, "two");
  EXPECT_EQ(held->value, "one") << "what was found stays";
  cache.Forget("k");
  EXPECT_EQ(cache.Find("k"), nullptr);
  cache.Forget("never seen");
}

TEST(RecordCacheTest, HoldsNoMoreThanItMayAndKeepsWhatIsUsed) {
  constexpr size_t kBytes = 1 << 20;
  constexpr size_t kValueBytes = 1000;
  constexpr int kKeys = 5000;
  RecordCache cache(kBytes);
  cache.Set("used", WithValue("v"));
  for (int key = 0; key < kKeys; ++key) {
    cache.Set(KeyAt(key), WithValue(std::string(kValueBytes, 'v')));
    ASSERT_NE(cache.Find("used"), nullptr) << "forgotten, though used a moment before, at " << key;
  }
  size_t found = 0;
  for (int key = 0; key < kKeys; ++key) found += cache.Find(KeyAt(key)) != nullptr ? 1 : 0;
  EXPECT_LT(found * kValueBytes, kBytes);
  EXPECT_GT(found * kValueBytes, kBytes / 2);
}

}  // namespace
}  // namespace decree::kv
