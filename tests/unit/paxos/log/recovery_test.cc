// What a log does at start with what it finds: torn writes are cut off, damage is refused.

#include "tests/unit/paxos/log/log_fixture.h"

#include <map>
#include <optional>

#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kFirstRecord = 4096;
constexpr uint64_t kSmallRecord = 64 + 24;  // an entry with a payload of up to 3 bytes

class RecoveryTest : public LogTest {
 protected:
  void ExpectRefused(const std::string& text) {
    const auto log = TryOpen();
    EXPECT_TRUE(absl::IsDataLoss(log.status())) << log.status();
    EXPECT_THAT(log.status().ToString(), HasSubstr(text));
    EXPECT_THAT(log.status().ToString(), HasSubstr("Nothing was changed"));
  }
};

TEST_F(RecoveryTest, ATornGroupIsCutOffAndTheLogGoesOn) {
  Append({AcceptedAt(1, "a")});
  const std::string watermark = files_.Contents("log/watermark");
  Append({AcceptedAt(2, "b"), AcceptedAt(3, "c")});
  Kill();
  // Only the second record of the second group has reached the disk; the watermark was not synced.
  files_.Rot(SegmentPath(1), kFirstRecord + kSmallRecord + 5);
  files_.SetContents("log/watermark", watermark);
  Open();
  EXPECT_TRUE(log_->recovered().torn_tail);
  EXPECT_THAT(Contents(), ElementsAre("1=a"));
  Append({AcceptedAt(2, "B")});
  Append({AcceptedAt(3, "C")});
  EXPECT_TRUE(files_.Exists(SegmentPath(2)));
  for (int i = 0; i < 2; ++i) {
    LosePower();
    Open();
    EXPECT_FALSE(log_->recovered().torn_tail);
    EXPECT_THAT(Contents(), ElementsAre("1=a", "2=B", "3=C"));
  }
}

TEST_F(RecoveryTest, ATornGroupMayComeBackTornBeforeAnythingFollows) {
  const std::string watermark = files_.Contents("log/watermark");
  Append({AcceptedAt(1, "a")});
  Kill();
  files_.Rot(SegmentPath(1), kFirstRecord + 70);
  for (int i = 0; i < 3; ++i) {
    files_.SetContents("log/watermark", watermark);
    Open();
    EXPECT_TRUE(log_->recovered().torn_tail);
    Kill();
  }
}

TEST_F(RecoveryTest, DamageBeforeALaterGroupIsRefused) {
  Append({AcceptedAt(1, "a")});
  Append({AcceptedAt(2, "b")});
  Kill();
  files_.SetContents("log/watermark", "");  // Even if the watermark says nothing.
  for (const uint64_t offset : {uint64_t{0}, uint64_t{20}, uint64_t{63}, uint64_t{70}}) {
    files_.Rot(SegmentPath(1), kFirstRecord + offset);
    ExpectRefused("at offset 4096");
    files_.Rot(SegmentPath(1), kFirstRecord + offset);
  }
  Open();
}

TEST_F(RecoveryTest, DamageAtTheWatermarkIsRefused) {
  Append({AcceptedAt(1, "a")});
  Append({AcceptedAt(2, "b")});
  Idle();
  LosePower();
  files_.Rot(SegmentPath(1), kFirstRecord + kSmallRecord + 70);
  ExpectRefused("durable up to group 2");
  // Without the watermark it cannot be told from a torn write: what remains of the rule.
  files_.SetContents("log/watermark", "");
  Open();
  EXPECT_TRUE(log_->recovered().torn_tail);
}

TEST_F(RecoveryTest, ALogThatEndsBelowItsWatermarkIsRefused) {
  Append({AcceptedAt(1, "a")});
  const std::string shorter = files_.Contents(SegmentPath(1));
  Append({AcceptedAt(2, "b")});
  Kill();
  files_.SetContents(SegmentPath(1), shorter);
  ExpectRefused("durable up to group 2");
}

TEST_F(RecoveryTest, DamageInAnEarlierSegmentIsRefused) {
  for (uint64_t slot = 1; slot <= 40; ++slot) Append({AcceptedAt(slot, std::string(1000, 'a'))});
  Kill();
  const std::string second = files_.Contents(SegmentPath(2));
  files_.Rot(SegmentPath(2), second.size() - 1000);
  ExpectRefused("000000000002.segment");
  files_.SetContents(SegmentPath(2), second.substr(0, second.size() / 2));
  ExpectRefused("000000000002.segment");
  files_.SetContents(SegmentPath(2), second);
  files_.Rot(SegmentPath(3), 40);
  ExpectRefused("000000000003.segment");
}

TEST_F(RecoveryTest, AMissingFileIsRefused) {
  for (uint64_t slot = 1; slot <= 40; ++slot) Append({AcceptedAt(slot, std::string(1000, 'a'))});
  Kill();
  const std::string segment = files_.Contents(SegmentPath(2));
  ASSERT_TRUE(files_.Remove(SegmentPath(2)).ok());
  ExpectRefused("000000000002.segment is damaged: it is missing");
  files_.SetContents(SegmentPath(2), segment);
  const std::string promise = files_.Contents("log/promise");
  ASSERT_TRUE(files_.Remove("log/promise").ok());
  ExpectRefused("log/promise is damaged: it is missing");
  files_.SetContents("log/promise", promise);
  Open();
}

TEST_F(RecoveryTest, APromiseSurvivesTheLossOfEitherCopy) {
  Append({PromiseOf(5)});
  Kill();
  const std::string whole = files_.Contents("log/promise");
  for (const uint64_t copy : {uint64_t{0}, uint64_t{4096}}) {
    files_.SetContents("log/promise", whole);
    files_.Rot("log/promise", copy + 30);
    Open();
    EXPECT_EQ(log_->recovered().promised, (Ballot{5, NodeId(1)}));
    Kill();
    EXPECT_EQ(files_.Contents("log/promise"), whole) << "both copies are written again";
  }
  files_.Rot("log/promise", 30);
  files_.Rot("log/promise", 4096 + 30);
  ExpectRefused("neither of its two copies");
}

TEST_F(RecoveryTest, AGroupWrittenButNotSyncedByAKilledProcessIsSyncedBeforeItCounts) {
  Append({AcceptedAt(1, "a")});
  files_.CrashAfter(2);  // the group's sync
  EXPECT_THROW(Append({AcceptedAt(2, "b")}), SimulatedCrash);
  Kill();
  Open();
  EXPECT_THAT(Contents(), ElementsAre("1=a", "2=b"));
  LosePower();
  Open();
  EXPECT_THAT(Contents(), ElementsAre("1=a", "2=b"));
}

TEST_F(RecoveryTest, WhatAFailedSyncLeftInTheCacheDoesNotCount) {
  Append({AcceptedAt(1, "a")});
  const std::string on_device = files_.Contents(SegmentPath(1));
  const std::string watermark = files_.Contents("log/watermark");
  Append({AcceptedAt(2, "b")});
  const std::string in_cache = files_.Contents(SegmentPath(1));
  Kill();
  files_.SetContents(SegmentPath(1), on_device);
  files_.SetContents("log/watermark", watermark);
  {
    const auto file = files_.Open(SegmentPath(1));
    ASSERT_TRUE((*file)->Write(0, in_cache).ok());
    files_.FailNext(SimulatedFileSystem::Operation::kSync, absl::InternalError("EIO"));
    ASSERT_FALSE((*file)->Sync().ok());
  }
  files_.Kill();
  ASSERT_EQ(files_.Contents(SegmentPath(1)), in_cache);
  Open();
  EXPECT_THAT(Contents(), ElementsAre("1=a"));
}

TEST_F(RecoveryTest, AnotherFormatIsRefusedInPlainWords) {
  Kill();
  ASSERT_TRUE(files_.Exists("log/identity"));
  // The version is the four bytes behind checksum and kind; the checksum covers it, so another
  // program's file is made as it would.
  const std::string body = "whatever another program writes";
  for (const auto& [version, what] :
       {std::pair(kLogFormatVersion + 1, "start a newer decreed"), std::pair(kLogFormatVersion - 1, "decree export")}) {
    files_.SetContents("log/identity", EncodeBlock(BlockKind::kIdentity, body, version));
    const auto log = TryOpen();
    EXPECT_TRUE(absl::IsFailedPrecondition(log.status()));
    EXPECT_THAT(log.status().ToString(), HasSubstr(what));
  }
}

// ---- Any crash, anywhere ----

// Appends random groups, crashes at a random operation and recovers, over and over. What was
// acknowledged must be there; the last group, which was not, may be there as a whole or not at all.
class Torture {
 public:
  explicit Torture(uint64_t seed) : random_(seed), files_(random_.Next()) {
    CHECK(SegmentLog::Format(files_, kLog, MakeIdentity()).ok());
  }

  void Run() {
    for (int life = 0; life < 12; ++life) {
      if (!Recover()) continue;
      files_.CrashAfter(random_.Between(1, 60));
      try {
        while (true) Step();
      } catch (const SimulatedCrash&) {
        End();
      }
    }
    while (!Recover()) continue;
  }

 private:
  using State = std::map<uint64_t, std::string>;

  // False if recovery itself was cut short.
  bool Recover() {
    if (random_.Chance(0.3)) files_.CrashAfter(random_.Between(1, 8));
    try {
      auto log = SegmentLog::Open(files_, kLog, options_);
      files_.CrashAfter(0);
      CHECK(log.ok()) << log.status();
      log_ = *std::move(log);
    } catch (const SimulatedCrash&) {
      End();
      return false;
    }
    const auto votes = log_->Read(Slot(1), Slot(1'000'000), size_t{1} << 40);
    CHECK(votes.ok()) << votes.status();
    State found;
    for (const Vote& vote : *votes) found[vote.slot.value()] = vote.entry->payload;
    EXPECT_TRUE(found == acknowledged_ || found == attempted_);
    acknowledged_ = attempted_ = found;
    const uint64_t promised = log_->recovered().promised.round;
    EXPECT_GE(promised, promised_);
    EXPECT_LE(promised, promise_attempted_);
    promised_ = promised;
    return true;
  }

  void Step() {
    if (random_.Chance(0.2)) return log_->OnIdle();
    std::vector<Record> records;
    const uint64_t first = random_.Between(1, 30);
    const uint64_t count = random_.Between(0, 4);
    for (uint64_t slot = first; slot < first + count; ++slot) {
      std::string payload = StrCat(++writes_, std::string(random_.Below(700), '.'));
      attempted_[slot] = payload;
      records.push_back(AcceptedAt(slot, std::move(payload), 1));
    }
    uint64_t promise = promised_;
    if (random_.Chance(0.2)) records.push_back(PromiseOf(promise_attempted_ = promise = promised_ + 1));
    const RecordBatch batch{.ticket = Ticket(1), .records = std::move(records)};
    log_->Append({&batch, 1});
    acknowledged_ = attempted_;
    promised_ = std::max({promise, promised_, count > 0 ? uint64_t{1} : uint64_t{0}});
    promise_attempted_ = std::max(promise_attempted_, promised_);
  }

  void End() {
    log_.reset();
    if (random_.Chance(0.7)) {
      files_.LosePower();
    } else {
      files_.Kill();
    }
    promise_attempted_ = std::max<uint64_t>(promise_attempted_, 1);
  }

  Random random_;
  SimulatedFileSystem files_;
  const LogOptions options_{.segment_bytes = 8 << 10, .zero_ahead_bytes = 1 << 10};
  std::unique_ptr<SegmentLog> log_;
  State acknowledged_;
  State attempted_;
  uint64_t promised_ = 0;
  uint64_t promise_attempted_ = 0;
  uint64_t writes_ = 0;
};

TEST(LogTortureTest, SurvivesACrashAtAnyOperation) {
  for (uint64_t seed = 1; seed <= 400 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Torture(seed).Run();
  }
}

// ---- Any damage, anywhere ----

// A small log of three groups, of which the watermark knows `watermark`. Group 2 has two records.
class DamageTest : public LogTest {
 protected:
  void Make(uint64_t watermark) {
    log_.reset();
    files_.Kill();
    std::string known = files_.Contents("log/watermark");
    Open();
    for (uint64_t group = 1; group <= 3; ++group) {
      std::vector<Record> records{AcceptedAt(group, "a")};
      if (group == 2) records.push_back(AcceptedAt(9, "b"));
      Append(std::move(records));
      starts_.push_back(end_);
      end_ += (group == 2 ? 2 : 1) * kSmallRecord;
      if (group == watermark) known = files_.Contents("log/watermark");
    }
    Kill();
    segment_ = files_.Contents(SegmentPath(1));
    watermark_ = known;
  }

  // How many groups are found with this segment; nothing if it is refused.
  std::optional<size_t> GroupsWith(const std::string& segment) {
    files_.SetContents(SegmentPath(1), segment);
    files_.SetContents("log/watermark", watermark_);
    auto log = TryOpen();
    if (!log.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(log.status())) << log.status();
      EXPECT_THAT(log.status().ToString(), HasSubstr("segment"));
      return std::nullopt;
    }
    log_ = *std::move(log);
    const size_t records = Contents().size();
    Kill();
    return records == 0 ? 0 : records == 1 ? 1 : records == 3 ? 2 : 3;
  }

  // The groups that lie wholly before this offset.
  uint64_t WholeGroupsBefore(uint64_t offset) const {
    size_t groups = 0;
    while (groups < 3 && (groups == 2 ? end_ : starts_[groups + 1]) <= offset) ++groups;
    return groups;
  }

  std::vector<uint64_t> starts_;
  uint64_t end_ = kFirstRecord;
  std::string segment_;
  std::string watermark_;
};

TEST_F(DamageTest, ALogCutAtAnyByteLosesNothingThatWasKnownDurable) {
  uint64_t header_end = kFirstRecord;  // of what a segment cannot be without
  for (const uint64_t watermark : {0, 2, 3}) {
    starts_.clear();
    end_ = kFirstRecord;
    files_ = SimulatedFileSystem(1);
    ASSERT_TRUE(SegmentLog::Format(files_, kLog, MakeIdentity()).ok());
    Make(watermark);
    ASSERT_GT(segment_.size(), end_) << "zeros for the groups to come";
    for (uint64_t size = 0; size <= segment_.size(); ++size) {
      SCOPED_TRACE(testing::Message() << "watermark " << watermark << " cut at " << size);
      const std::optional<size_t> groups = GroupsWith(segment_.substr(0, size));
      const uint64_t whole = WholeGroupsBefore(size);
      if (watermark == 0 && groups.has_value()) header_end = std::min(header_end, size);
      if (size < header_end || whole < watermark) {
        ASSERT_FALSE(groups.has_value());
      } else {
        ASSERT_EQ(groups, whole);
      }
    }
    ASSERT_LT(header_end, kSectorBytes);
  }
}

TEST_F(DamageTest, ALogWithAnyBitFlippedLosesNothingThatWasKnownDurable) {
  for (const uint64_t watermark : {0, 3}) {
    starts_.clear();
    end_ = kFirstRecord;
    files_ = SimulatedFileSystem(1);
    ASSERT_TRUE(SegmentLog::Format(files_, kLog, MakeIdentity()).ok());
    Make(watermark);
    for (uint64_t offset = 0; offset < segment_.size(); ++offset) {
      SCOPED_TRACE(testing::Message() << "watermark " << watermark << " flipped at " << offset);
      std::string damaged = segment_;
      damaged[offset] = static_cast<char>(damaged[offset] ^ (1 << offset % 8));
      const std::optional<size_t> groups = GroupsWith(damaged);
      if (offset < kFirstRecord) {
        // In the header: noticed, or in the padding behind it.
        ASSERT_EQ(groups.value_or(3), 3u);
      } else if (offset >= end_) {
        ASSERT_EQ(groups, 3u) << "in the zeros behind the last group";
      } else if (offset < starts_[2] || watermark == 3) {
        ASSERT_FALSE(groups.has_value());
      } else {
        ASSERT_EQ(groups, 2u) << "the last group, not known durable, passes as torn";
      }
    }
  }
}

TEST(LogDamageTest, AnyChangedByteIsRefusedOrHarmless) {
  Random random(7);
  for (int round = 0; round < 1500 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    SimulatedFileSystem files(random.Next());
    const LogOptions options{.segment_bytes = 6 << 10, .zero_ahead_bytes = 1 << 10};
    ASSERT_TRUE(SegmentLog::Format(files, kLog, MakeIdentity()).ok());
    {
      auto log = SegmentLog::Open(files, kLog, options);
      ASSERT_TRUE(log.ok()) << log.status();
      for (uint64_t slot = 1; slot <= 12; ++slot) {
        const RecordBatch batch{.ticket = Ticket(1),
                                .records = {AcceptedAt(slot, std::string(400, 'x')), PromiseOf(slot)}};
        (*log)->Append({&batch, 1});
      }
    }
    files.Kill();
    const auto names = files.List(kLog);
    const std::string path = StrCat(kLog, "/", (*names)[random.Below(names->size())]);
    std::string bytes = files.Contents(path);
    if (random.Chance(0.2)) {
      bytes.resize(random.Below(bytes.size() + 1));
    } else {
      for (uint64_t i = random.Between(1, 3); i > 0 && !bytes.empty(); --i) {
        bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
      }
    }
    files.SetContents(path, bytes);
    auto log = SegmentLog::Open(files, kLog, options);
    if (!log.ok()) {
      EXPECT_THAT(log.status().ToString(), HasSubstr("log"));
      continue;
    }
    EXPECT_EQ((*log)->recovered().promised, (Ballot{12, NodeId(1)})) << path;
    const auto votes = (*log)->Read(Slot(1), Slot(100), size_t{1} << 40);
    ASSERT_TRUE(votes.ok()) << votes.status();
    // Without its watermark the log's last group may pass as torn.
    EXPECT_GE(votes->size(), path == "log/watermark" ? 11u : 12u) << path;
  }
}

}  // namespace
}  // namespace decree::paxos
