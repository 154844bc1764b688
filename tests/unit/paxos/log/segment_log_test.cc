#include "paxos/log/segment_log.h"

#include "paxos/log/segment.h"
#include "tests/unit/paxos/log/log_fixture.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ---- The directory ----

TEST_F(LogTest, RemembersWhoseItIs) {
  EXPECT_EQ(log_->identity(), MakeIdentity());
  const auto identity = SegmentLog::ReadIdentity(files_, kLog);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(*identity, MakeIdentity());
}

TEST_F(LogTest, TellsAnUnformattedDirectory) {
  EXPECT_TRUE(absl::IsNotFound(SegmentLog::ReadIdentity(files_, "elsewhere").status()));
  EXPECT_TRUE(absl::IsNotFound(SegmentLog::Open(files_, "elsewhere", options_).status()));
}

TEST_F(LogTest, FormatsNoDirectoryTwice) {
  const Status status = SegmentLog::Format(files_, kLog, MakeIdentity(2));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("formatted already"));
}

TEST_F(LogTest, IsUnformattedUntilFormatHasEnded) {
  // Formatting is cut short at each of its operations.
  for (uint64_t operations = 1;; ++operations) {
    SimulatedFileSystem files(operations);
    files.CrashAfter(operations);
    try {
      ASSERT_TRUE(SegmentLog::Format(files, kLog, MakeIdentity()).ok());
      EXPECT_GT(operations, 10u);
      break;
    } catch (const SimulatedCrash&) {
      files.LosePower();
      if (absl::IsNotFound(SegmentLog::ReadIdentity(files, kLog).status())) continue;
      const auto log = SegmentLog::Open(files, kLog, options_);
      EXPECT_TRUE(log.ok()) << "operation " << operations << ": " << log.status();
    }
  }
}

TEST_F(LogTest, AFormatThatWasCutShortCanBeDoneAgain) {
  for (uint64_t operations = 1; operations <= 12; ++operations) {
    SCOPED_TRACE(testing::Message() << "operation " << operations);
    SimulatedFileSystem files(operations);
    files.CrashAfter(operations);
    try {
      static_cast<void>(SegmentLog::Format(files, kLog, MakeIdentity()));
    } catch (const SimulatedCrash&) {
    }
    files.Kill();
    if (files.Exists("log/identity")) continue;
    const Status again = SegmentLog::Format(files, kLog, MakeIdentity());
    ASSERT_TRUE(again.ok()) << again;
    EXPECT_TRUE(SegmentLog::Open(files, kLog, options_).ok());
  }
}

TEST_F(LogTest, FormatsNoDirectoryThatWasUsed) {
  for (const bool with_vote : {false, true}) {
    SCOPED_TRACE(with_vote ? "a vote" : "a promise");
    SimulatedFileSystem files(1);
    ASSERT_TRUE(SegmentLog::Format(files, kLog, MakeIdentity()).ok());
    const RecordBatch batch{.ticket = Ticket(1), .records = {with_vote ? AcceptedAt(1, "a") : PromiseOf(3)}};
    (*SegmentLog::Open(files, kLog, options_))->Append({&batch, 1});
    ASSERT_TRUE(files.Remove("log/identity").ok());
    const Status again = SegmentLog::Format(files, kLog, MakeIdentity());
    EXPECT_TRUE(absl::IsFailedPrecondition(again)) << again;
    EXPECT_THAT(again.ToString(), HasSubstr("is in use"));
  }
}

TEST_F(LogTest, FormatsNoDirectoryWithOtherThings) {
  SimulatedFileSystem files(1);
  ASSERT_TRUE(files.CreateDirectory("home").ok());
  files.SetContents("home/letter", "dear");
  const Status status = SegmentLog::Format(files, "home", MakeIdentity());
  EXPECT_THAT(status.ToString(), HasSubstr("home is not empty: it holds letter"));
  EXPECT_EQ(files.Contents("home/letter"), "dear");
}

TEST_F(LogTest, IsOpenInOneProcessOnly) {
  const auto second = TryOpen();
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  Kill();
  Open();
}

TEST_F(LogTest, RefusesAFileOfAnotherNode) {
  Append({AcceptedAt(1, "a")});
  ASSERT_TRUE(SegmentLog::Format(files_, "other", MakeIdentity(2)).ok());
  Kill();
  const std::string own = files_.Contents(SegmentPath(1));
  files_.SetContents(SegmentPath(1), files_.Contents("other/000000000001.segment"));
  EXPECT_THAT(TryOpen().status().ToString(), HasSubstr("belongs to node 2"));
  files_.SetContents(SegmentPath(1), own);
  files_.SetContents("log/promise", files_.Contents("other/promise"));
  EXPECT_THAT(TryOpen().status().ToString(), HasSubstr("belongs to node 2"));
}

// ---- Writing and reading ----

TEST_F(LogTest, ReadsWhatWasAppended) {
  Append({AcceptedAt(1, "a"), AcceptedAt(2, std::string("b\0c", 3))});
  Append({ChosenAt(4, "d")});
  EXPECT_THAT(Contents(), ElementsAre("1=a", std::string("2=b\0c", 5), "4:d"));
  EXPECT_THAT(Contents(2, 3), ElementsAre(std::string("2=b\0c", 5)));
  EXPECT_THAT(Contents(5, 9), IsEmpty());
}

TEST_F(LogTest, TheNewestRecordOfASlotCounts) {
  Append({AcceptedAt(1, "old", 1)});
  Append({AcceptedAt(1, "new", 2)});
  EXPECT_THAT(Contents(), ElementsAre("1=new"));
  Kill();
  Open();
  EXPECT_THAT(Contents(), ElementsAre("1=new"));
}

TEST_F(LogTest, ReadsInPagesOfAtLeastOneRecord) {
  Append({AcceptedAt(1, std::string(1000, 'a')), AcceptedAt(2, std::string(1000, 'b'))});
  EXPECT_EQ(Contents(1, 2, 1).size(), 1u);
  EXPECT_EQ(Contents(1, 2, 1500).size(), 1u);
  EXPECT_EQ(Contents(1, 2, 5000).size(), 2u);
}

TEST_F(LogTest, TellsWhereATailOfSoManyBytesStarts) {
  EXPECT_EQ(log_->TailStart(kNoSlot, 5000), Slot(1)) << "an empty log";
  Append({AcceptedAt(1, "a"), AcceptedAt(3, std::string(1000, 'b'))});
  EXPECT_EQ(log_->TailStart(Slot(1), 1 << 20), Slot(1)) << "all there is";
  Append({ChosenAt(4, std::string(1000, 'c')), AcceptedAt(5, std::string(1000, 'd'))});
  EXPECT_EQ(log_->TailStart(Slot(5), 1500), Slot(5));
  EXPECT_EQ(log_->TailStart(Slot(5), 2500), Slot(4));
  EXPECT_EQ(log_->TailStart(Slot(4), 2500), Slot(3)) << "what comes after does not count";
  EXPECT_EQ(log_->TailStart(Slot(5), 1 << 20), Slot(3)) << "slot 2 is missing";
  EXPECT_EQ(log_->TailStart(Slot(5), 10), Slot(6)) << "not even one fits";
}

TEST_F(LogTest, LosesNothingAppendedInAPowerLoss) {
  Append({PromiseOf(3), AcceptedAt(1, "a", 2)});
  Append({AcceptedAt(2, "b", 2), ChosenIndexRecord{Slot(1)}});
  LosePower();
  Open();
  EXPECT_THAT(Contents(), ElementsAre("1=a", "2=b"));
  EXPECT_EQ(log_->recovered().promised, (Ballot{3, NodeId(1)}));
  EXPECT_EQ(log_->recovered().chosen_index, Slot(1));
  EXPECT_EQ(log_->recovered().first_slot, Slot(1));
  EXPECT_EQ(log_->recovered().last_slot, Slot(2));
  EXPECT_FALSE(log_->recovered().torn_tail);
}

TEST_F(LogTest, APromiseMayRestOnAVote) {
  Append({PromiseOf(1)});
  Append({AcceptedAt(1, "a", 9)});
  LosePower();
  Open();
  EXPECT_EQ(log_->recovered().promised, (Ballot{9, NodeId(1)}));
}

TEST_F(LogTest, GoesOnInNewSegments) {
  for (uint64_t slot = 1; slot <= 60; ++slot) {
    Append({AcceptedAt(slot, std::string(1000, static_cast<char>('a' + slot % 26)))});
    if (slot % 7 == 0) Idle();
  }
  EXPECT_TRUE(files_.Exists(SegmentPath(4)));
  EXPECT_EQ(Contents().size(), 60u);
  const uint64_t bytes = log_->SizeBytes();
  LosePower();
  Open();
  EXPECT_EQ(Contents().size(), 60u);
  EXPECT_EQ(log_->SizeBytes(), bytes);
}

TEST_F(LogTest, HasFewSegmentsOpenHoweverManyThereAre) {
  constexpr size_t kOpenMax = 12;  // with promise and watermark
  const auto expect_few_are_open = [&] { EXPECT_LE(files_.open_files(), kOpenMax); };
  uint64_t slot = 0;
  while (!files_.Exists(SegmentPath(100))) Append({AcceptedAt(++slot, std::string(1000, 'a'))});
  expect_few_are_open();
  EXPECT_EQ(Contents().size(), slot);
  expect_few_are_open();
  LosePower();
  Open();
  expect_few_are_open();
  // To and fro.
  for (uint64_t first = 1; first <= slot / 2; first += 10) {
    for (const uint64_t read : {first, slot - first}) {
      const auto votes = log_->Read(Slot(read), Slot(read), 1 << 20);
      ASSERT_TRUE(votes.ok()) << votes.status();
      EXPECT_EQ(votes->size(), 1u);
    }
  }
  expect_few_are_open();
}

TEST_F(LogTest, ASegmentThatWasNotFinishedIsInNobodysWay) {
  Kill();
  files_.SetContents("log/segment.new", "cut short");
  Open();
  for (uint64_t slot = 1; !files_.Exists(SegmentPath(2)); ++slot) {
    Append({AcceptedAt(slot, std::string(1000, 'a'))});
  }
  EXPECT_FALSE(files_.Exists("log/segment.new"));
}

TEST_F(LogTest, AGroupLargerThanASegmentHasOneOfItsOwn) {
  Append({AcceptedAt(1, "small")});
  Append({AcceptedAt(2, std::string(100'000, 'x'))});
  Append({AcceptedAt(3, "small")});
  LosePower();
  Open();
  EXPECT_EQ(Contents().size(), 3u);
}

TEST_F(LogTest, ReadsALargeSegmentPieceByPiece) {
  // Groups across the borders of what recovery reads at once, and two that are larger than that.
  options_.segment_bytes = 16 << 20;
  LosePower();
  Open();
  for (uint64_t slot = 1; slot <= 60; ++slot) {
    const size_t bytes = slot % 25 == 0 ? 3 << 20 : 50'000 + 1000 * slot;
    const std::string body(bytes, static_cast<char>('a' + slot % 26));
    if (slot % 25 == 0) {
      Append({AcceptedAt(slot, body.substr(bytes / 2)), AcceptedAt(slot, body)});
    } else {
      Append({AcceptedAt(slot, body)});
    }
  }
  const auto before = Contents();
  ASSERT_EQ(before.size(), 60u);
  EXPECT_FALSE(files_.Exists(SegmentPath(2)));
  LosePower();
  Open();
  EXPECT_EQ(Contents(), before);
}

TEST_F(LogTest, AnIdleLogHasNothingLeftToDo) {
  Append({AcceptedAt(1, "a")});
  EXPECT_TRUE(log_->HasIdleWork());
  log_->OnIdle();
  EXPECT_FALSE(log_->HasIdleWork());
}

TEST_F(LogTest, ASegmentGrowsInZerosForTheGroupsToCome) {
  const auto size = [&](uint64_t segment) { return files_.Contents(SegmentPath(segment)).size(); };
  Append({AcceptedAt(1, "a")});
  const size_t grown = size(1);
  EXPECT_EQ(grown, log_->SizeBytes() + options_.zero_ahead_bytes);
  for (uint64_t slot = 2; log_->SizeBytes() + 400 < grown; ++slot) Append({AcceptedAt(slot, "b")});
  EXPECT_EQ(size(1), grown);
  LosePower();
  Open();
  EXPECT_FALSE(log_->recovered().torn_tail);
  Append({AcceptedAt(500, "c")});
  EXPECT_EQ(size(1), grown) << "the zeros are there after a restart too";
  for (uint64_t slot = 1000; !files_.Exists(SegmentPath(2)); ++slot) {
    Append({AcceptedAt(slot, std::string(1000, 'd'))});
  }
  EXPECT_EQ(size(1), options_.segment_bytes);
  EXPECT_GT(size(2), kSegmentHeaderBytes + options_.zero_ahead_bytes);
  EXPECT_LT(size(2), options_.segment_bytes);
}

using LogDeathTest = LogTest;

TEST_F(LogDeathTest, AFailingWriteOrSyncEndsTheProcess) {
  for (const auto operation : {SimulatedFileSystem::Operation::kWrite, SimulatedFileSystem::Operation::kSync}) {
    EXPECT_DEATH(
        {
          files_.FailNext(operation, absl::InternalError("log/x: input/output error"));
          Append({AcceptedAt(1, "a")});
        },
        "the log cannot be written: log/x: input/output error");
  }
}

TEST_F(LogDeathTest, AFailureWhileANewSegmentIsMadeEndsTheProcess) {
  // The next group does not fit into the first segment any more.
  Append({AcceptedAt(1, std::string(10'000, 'a'))});
  for (const auto operation :
       {SimulatedFileSystem::Operation::kWrite, SimulatedFileSystem::Operation::kSync,
        SimulatedFileSystem::Operation::kRename, SimulatedFileSystem::Operation::kSyncDirectory}) {
    EXPECT_DEATH(
        {
          files_.FailNext(operation, absl::InternalError("log/x: input/output error"));
          Append({AcceptedAt(2, std::string(10'000, 'b'))});
        },
        "the log cannot be written: log/x: input/output error");
  }
  Append({AcceptedAt(2, std::string(10'000, 'b'))});
  EXPECT_TRUE(files_.Exists(SegmentPath(2))) << "the failures above struck elsewhere";
}

TEST_F(LogDeathTest, AFailingPromiseEndsTheProcess) {
  for (const auto operation : {SimulatedFileSystem::Operation::kWrite, SimulatedFileSystem::Operation::kSync}) {
    EXPECT_DEATH(
        {
          files_.FailNext(operation, absl::InternalError("log/x: input/output error"));
          Append({PromiseOf(5)});
        },
        "the log cannot be written: log/x: input/output error");
  }
}

TEST_F(LogTest, AReadErrorIsReported) {
  Append({AcceptedAt(1, "a")});
  files_.FailNext(SimulatedFileSystem::Operation::kRead, absl::InternalError("bad sector"));
  const auto votes = log_->Read(Slot(1), Slot(1), 1000);
  EXPECT_THAT(votes.status().ToString(), HasSubstr("bad sector"));
}

TEST_F(LogTest, ARecordThatRotsWhileItRunsIsNotServed) {
  Append({AcceptedAt(1, std::string(500, 'a'))});
  files_.Rot(SegmentPath(1), 4096 + 200);
  const auto votes = log_->Read(Slot(1), Slot(1), 1000);
  EXPECT_TRUE(absl::IsDataLoss(votes.status())) << votes.status();
}

}  // namespace
}  // namespace decree::paxos
