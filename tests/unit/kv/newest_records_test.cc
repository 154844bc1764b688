#include "kv/newest_records.h"

#include <string>

#include <gtest/gtest.h>

#include "kv/record_reader.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

class NewestRecordsTest : public BareStoreTest {
 protected:
  // Writes a change into the store, without the knowledge of anybody.
  KeyCounters Write(const std::string& key, uint64_t revision, const std::string& value) {
    const KeyRecord record{.counters = {.create_revision = revision,
                                        .modified = {.main = revision},
                                        .version = 1,
                                        .value_bytes = static_cast<uint32_t>(value.size())},
                           .value = value};
    leveldb::WriteBatch batch;
    batch.Put(ChangeKey(record.counters.modified), EncodeKeyChange(key, record));
    batch.Put(HeadKey(key), EncodeKeyCounters(record.counters));
    store_->Write(batch);
    return record.counters;
  }
  void RemoveHead(const std::string& key) {
    leveldb::WriteBatch batch;
    batch.Delete(HeadKey(key));
    store_->Write(batch);
  }
};

TEST_F(NewestRecordsTest, KnowsWhatTheStoreHeldAtItsStart) {
  Write("k", 2, "a");
  NewestRecords newest(*store_, MemoryOptions());
  EXPECT_EQ(newest.CountersOf("k")->modified.main, 2u);
  EXPECT_EQ(newest.RecordOf("k")->value, "a");
  EXPECT_EQ(newest.RecordOf("absent"), std::nullopt);
}

TEST_F(NewestRecordsTest, WithRoomForAllKeysTheStoreIsNotAskedForThem) {
  Write("k", 2, "a");
  NewestRecords newest(*store_, MemoryOptions());
  RemoveHead("k");
  Write("unknown", 3, "b");
  EXPECT_EQ(newest.CountersOf("k")->modified.main, 2u);
  EXPECT_EQ(newest.CountersOf("unknown"), std::nullopt);
}

TEST_F(NewestRecordsTest, WithoutRoomItLooksIntoTheStore) {
  NewestRecords newest(*store_, {.key_index_bytes = 0, .record_cache_bytes = 0});
  EXPECT_EQ(newest.RecordOf("k"), std::nullopt);
  newest.Set("k", Write("k", 2, "a"));
  for (uint64_t key = 0; key < 2000; ++key) {
    const std::string name = StrCat("filler/", key);
    newest.Set(name, Write(name, 3 + key, "v"));
  }
  EXPECT_EQ(newest.RecordOf("k")->value, "a");
  EXPECT_EQ(newest.CountersOf("k")->modified.main, 2u);
}

TEST_F(NewestRecordsTest, AReadValueIsKeptUntilTheKeyHasAnother) {
  NewestRecords newest(*store_, MemoryOptions());
  newest.Set("k", Write("k", 2, "a"));
  EXPECT_EQ(newest.RecordOf("k")->value, "a");
  leveldb::WriteBatch batch;
  batch.Delete(ChangeKey({.main = 2}));
  store_->Write(batch);
  EXPECT_EQ(newest.RecordOf("k")->value, "a") << "from memory";
  newest.Set("k", Write("k", 3, "b"));
  EXPECT_EQ(newest.RecordOf("k")->value, "b");
  newest.Set("k", std::nullopt);
  EXPECT_EQ(newest.RecordOf("k"), std::nullopt);
}

TEST_F(NewestRecordsTest, WhatItKnowsAndTheStoreLacksEndsTheProcess) {
  NewestRecords newest(*store_, MemoryOptions());
  newest.Set("k", Write("k", 2, "a"));
  KeyCounters wrong = *newest.CountersOf("k");
  ++wrong.version;
  EXPECT_DEATH(static_cast<void>(newest.RecordWith("k", wrong)), "known of a key in memory differs");
  wrong.modified.main = 9;
  EXPECT_DEATH(static_cast<void>(newest.RecordWith("other", wrong)), "the store has lost revision 9");
}

}  // namespace
}  // namespace decree::kv
