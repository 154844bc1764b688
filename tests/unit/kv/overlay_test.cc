#include "kv/overlay.h"

#include <string>

#include <gtest/gtest.h>

#include "kv/record_reader.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

class OverlayTest : public BareStoreTest {
 protected:
  // The key's `version`-th change, made by this revision.
  static KeyRecord Record(uint64_t revision, uint64_t version, const std::string& value) {
    return {.counters = {.create_revision = 2,
                         .modified = {.main = revision},
                         .version = version,
                         .value_bytes = static_cast<uint32_t>(value.size())},
            .value = value};
  }
  static KeyRecord Deletion(uint64_t revision) {
    return {.counters = {.modified = {.main = revision}}, .deleted = true};
  }
  std::optional<std::string> Signpost(const std::string& key, uint64_t revision) {
    return store_->Get(SignpostKey(key, {.main = revision}));
  }

  static constexpr uint64_t kDigest = 17;
  NewestRecords newest_{*store_, MemoryOptions()};
  Overlay overlay_{*store_, newest_, kDigest};
};

TEST_F(OverlayTest, ACommandSeesWhatThoseBeforeItHaveDoneAndTheStoreSeesItWhenFlushed) {
  EXPECT_EQ(overlay_.CountersOf("k"), std::nullopt);
  overlay_.Change("k", Record(2, 1, "a"));
  EXPECT_EQ(overlay_.RecordOf("k")->value, "a");
  EXPECT_EQ(overlay_.CountersOf("k")->version, 1u);
  EXPECT_EQ(newest_.RecordOf("k"), std::nullopt);
  overlay_.Flush();
  EXPECT_EQ(newest_.RecordOf("k")->value, "a");
  EXPECT_EQ(overlay_.RecordOf("k")->value, "a") << "from the store";
  EXPECT_EQ(overlay_.bytes(), 0u);
}

TEST_F(OverlayTest, ADeletedKeyIsGoneAtOnceAndItsChangesStay) {
  overlay_.Change("k", Record(2, 1, "a"));
  overlay_.Change("k", Deletion(3));
  EXPECT_EQ(overlay_.CountersOf("k"), std::nullopt);
  EXPECT_EQ(overlay_.RecordOf("k"), std::nullopt);
  overlay_.Flush();
  EXPECT_EQ(store_->Get(HeadKey("k")), std::nullopt);
  EXPECT_EQ(newest_.CountersOf("k"), std::nullopt);
  EXPECT_EQ(ReadChange(*store_, "k", {.main = 2}).value, "a");
  EXPECT_TRUE(ReadChange(*store_, "k", {.main = 3}).deleted);
}

TEST_F(OverlayTest, EachChangeNamesTheOneBeforeAndEveryEighthAndEachDeletionHasASignpost) {
  for (uint64_t version = 1; version <= 8; ++version) {
    overlay_.Change("k", Record(1 + version, version, "v"));
    if (version % 3 == 0) overlay_.Flush();
  }
  overlay_.Change("k", Deletion(10));
  overlay_.Flush();
  EXPECT_EQ(ReadChange(*store_, "k", {.main = 2}).previous.main, 0u);
  for (uint64_t revision = 3; revision <= 10; ++revision) {
    EXPECT_EQ(ReadChange(*store_, "k", {.main = revision}).previous.main, revision - 1) << revision;
  }
  for (uint64_t revision = 2; revision <= 8; ++revision) EXPECT_EQ(Signpost("k", revision), std::nullopt) << revision;
  EXPECT_EQ(Signpost("k", 9), "");
  EXPECT_EQ(Signpost("k", 10), "");
}

TEST_F(OverlayTest, AChangeThatIsNotTheNewestEndsTheProcess) {
  overlay_.Change("k", Record(5, 1, "a"));
  EXPECT_DEATH(overlay_.Change("k", Record(5, 2, "b")), "revision 5 is not the newest");
}

TEST_F(OverlayTest, TheDigestCoversWhatIsWrittenInItsOrderAndNotHowItIsBatched) {
  const auto digest_of = [&](bool flushes, const std::string& first, const std::string& second) {
    Overlay overlay(*store_, newest_, kDigest);
    overlay.PutAnswers(4, 1, first);
    if (flushes) overlay.Flush();
    overlay.PutAnswers(4, 2, second);
    overlay.Flush();
    return overlay.digest();
  };
  const uint64_t digest = digest_of(false, "a", "b");
  EXPECT_EQ(digest_of(true, "a", "b"), digest);
  EXPECT_NE(digest_of(false, "b", "a"), digest);
  EXPECT_NE(digest, kDigest);
}

TEST_F(OverlayTest, WhatDiffersBetweenReplicasIsNotInTheDigest) {
  overlay_.PutSession(4, "used now");
  overlay_.PutMeta(Meta::kState, "applied");
  EXPECT_EQ(overlay_.digest(), kDigest);
  EXPECT_GT(overlay_.bytes(), 0u);
  overlay_.Flush();
  EXPECT_EQ(store_->Get(SessionKey(4)), "used now");
  EXPECT_EQ(store_->Get(MetaKey(Meta::kState)), "applied");
  overlay_.RemoveSession(4);
  EXPECT_NE(overlay_.digest(), kDigest) << "that a session ends is decided by the log";
  overlay_.Flush();
  EXPECT_EQ(store_->Get(SessionKey(4)), std::nullopt);
}

TEST_F(OverlayTest, AnswersThatCameAndWentInOneBatchAreGone) {
  overlay_.PutAnswers(4, 1, "block");
  overlay_.RemoveAnswers(4, 1);
  EXPECT_DEATH(static_cast<void>(overlay_.Answers(4, 1)), "lost the answers from 1 of session 4");
}

TEST_F(OverlayTest, AnswersAreReadFromTheBatchOrTheStoreUntilTheyAreRemoved) {
  overlay_.PutAnswers(4, 1, "block");
  EXPECT_EQ(overlay_.Answers(4, 1), "block");
  overlay_.Flush();
  EXPECT_EQ(overlay_.Answers(4, 1), "block");
  overlay_.PutAnswers(4, 1, "longer block");
  EXPECT_EQ(overlay_.Answers(4, 1), "longer block");
  overlay_.RemoveAnswers(4, 1);
  overlay_.Flush();
  EXPECT_DEATH(static_cast<void>(overlay_.Answers(4, 1)), "lost the answers from 1 of session 4");
}

}  // namespace
}  // namespace decree::kv
