#include "kv/key_index.h"

#include <map>

#include "paxos/base/random.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

// The smallest there is: four chunks of some 8 KiB.
constexpr size_t kFew = 0;

KeyCounters At(uint64_t revision) {
  return {.create_revision = 1, .modified = {.main = revision}, .version = revision};
}

TEST(KeyIndexTest, WhatIsNotInAWholeIndexDoesNotExist) {
  KeyIndex index(kFew);
  EXPECT_TRUE(index.Find("k").is_known);
  EXPECT_EQ(index.Find("k").counters, std::nullopt);
  index.Set("k", At(2));
  EXPECT_EQ(index.Find("k").counters, At(2));
  index.Set("k", At(3));
  EXPECT_EQ(index.Find("k").counters, At(3));
  index.Set("k", std::nullopt);
  EXPECT_TRUE(index.Find("k").is_known);
  EXPECT_EQ(index.Find("k").counters, std::nullopt);
  index.Set("never seen", std::nullopt);
  EXPECT_EQ(index.size(), 0u);
}

TEST(KeyIndexTest, CountersOfAnySizeComeBack) {
  KeyIndex index(kFew);
  const std::vector<KeyCounters> all{
      {},
      {.create_revision = 1, .modified = {.main = 2}, .version = 3, .value_bytes = 1 << 20},
      {.create_revision = 1, .modified = {.main = 2}, .version = 3, .value_bytes = 1 << 24},
      {.create_revision = (1ull << 40) - 1, .modified = {.main = (1ull << 40) - 1}, .version = UINT32_MAX},
      {.create_revision = 1ull << 40, .modified = {.main = 1ull << 40}, .version = 1},
      {.create_revision = 1, .modified = {.main = 2}, .version = 1ull << 32},
      {.create_revision = 1, .modified = {.main = 2, .sub = 1}, .version = 3},
      {.create_revision = 1, .modified = {.main = 2}, .version = 3, .lease = 4},
      {.create_revision = UINT64_MAX,
       .modified = {.main = UINT64_MAX, .sub = UINT32_MAX},
       .version = UINT64_MAX,
       .lease = UINT64_MAX,
       .value_bytes = UINT32_MAX}};
  for (const KeyCounters& before : all) {
    for (const KeyCounters& after : all) {
      index.Set("k", before);
      index.Set("k", after);
      EXPECT_EQ(index.Find("k").counters, after);
      EXPECT_EQ(index.size(), 1u);
    }
  }
}

TEST(KeyIndexTest, KeysThatComeAndGoTakeNoRoomFromTheOthers) {
  KeyIndex index(kFew);
  index.Set("stays", At(1));
  for (uint64_t i = 2; i < 20'000; ++i) {
    index.Set(StrCat("comes and goes ", i), At(i));
    index.Set(StrCat("comes and goes ", i), std::nullopt);
  }
  EXPECT_TRUE(index.is_whole());
  EXPECT_EQ(index.size(), 1u);
  EXPECT_EQ(index.Find("stays").counters, At(1));
}

TEST(KeyIndexTest, ForgetsWhatIsNotUsed) {
  KeyIndex index(kFew);
  index.Set("used", At(1));
  for (uint64_t i = 2; i < 20'000; ++i) {
    index.Set(StrCat("other ", i), At(i));
    ASSERT_EQ(index.Find("used").counters, At(1)) << "forgotten, though used a moment before, at " << i;
  }
  EXPECT_FALSE(index.is_whole());
  EXPECT_FALSE(index.Find("other 2").is_known);
  EXPECT_TRUE(index.Find("other 19999").is_known);
  EXPECT_GT(index.size(), 400u);
  EXPECT_LT(index.size(), 1500u);
}

TEST(KeyIndexTest, TheLongestKeysHaveRoom) {
  KeyIndex index(kFew);
  for (char c = 'a'; c <= 'z'; ++c) {
    const std::string key(4096, c);
    index.Set(key, KeyCounters{.lease = 1});
    EXPECT_EQ(index.Find(key).counters, (KeyCounters{.lease = 1}));
  }
}

// What it knows is right, and as long as it is whole it knows all, whatever is done in whatever order.
TEST(KeyIndexTest, NeverSaysWhatIsNotSo) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Random random(seed);
    KeyIndex index(random.Below(3) * 20'000);
    const uint64_t keys = 1 + random.Below(3000);
    std::map<std::string, KeyCounters> model;
    size_t known = 0;
    for (uint64_t step = 1; step < 40'000; ++step) {
      const uint64_t number = random.Below(keys);
      const std::string key = StrCat("key ", number, std::string(number % 64, '.'));
      const auto expected = model.find(key);
      const KeyIndex::Finding finding = index.Find(key);
      ASSERT_TRUE(finding.is_known || !index.is_whole());
      if (finding.is_known) {
        ++known;
        ASSERT_EQ(finding.counters, expected == model.end() ? std::nullopt : std::optional(expected->second));
      }
      if (random.Below(4) == 0) {
        index.Set(key, std::nullopt);
        model.erase(key);
      } else {
        KeyCounters counters = At(step);
        if (random.Below(8) == 0) counters.lease = step;
        index.Set(key, counters);
        model[key] = counters;
      }
      ASSERT_LE(index.size(), model.size());
      ASSERT_TRUE(!index.is_whole() || index.size() == model.size());
    }
    EXPECT_GT(known, 4000u) << "seed " << seed;
  }
}

TEST(KeyIndexTest, IsLoadedFromTheStore) {
  paxos::SimulatedFileSystem files(1);
  OpenStore kv(files);
  std::vector<std::string> commands;
  for (int i = 0; i < 100; ++i) commands.push_back(PutCommand(StrCat("k", i), "v"));
  commands.push_back(DeleteCommand("k7"));
  kv.Apply(commands);
  KeyIndex index(kFew);
  index.Load(kv.store());
  EXPECT_TRUE(index.is_whole());
  EXPECT_EQ(index.size(), 99u);
  EXPECT_EQ(index.Find("k0").counters->modified.main, 2u);
  EXPECT_TRUE(index.Find("k7").is_known);
  EXPECT_EQ(index.Find("k7").counters, std::nullopt);

  commands.clear();
  for (int i = 0; i < 5000; ++i) commands.push_back(PutCommand(StrCat("more", i), "v"));
  kv.Apply(commands);
  KeyIndex full(kFew);
  full.Load(kv.store());
  EXPECT_FALSE(full.is_whole());
  EXPECT_GT(full.size(), 500u);
}

}  // namespace
}  // namespace decree::kv
