#include "paxos/core/learner/supply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class SupplyTest : public testing::Test {
 protected:
  SupplyTest() : acceptor_(options_, {}, kStart), supply_(options_, acceptor_) {}

  static Options MakeOptions() {
    Options options;
    options.fetch_piece_bytes = 1000;
    options.fetch_window_bytes_max = 5000;
    return options;
  }
  // The next slot is chosen, and holds so many bytes.
  void Choose(size_t bytes) {
    ++chosen_index_;
    acceptor_.AdoptChosen(chosen_index_, Value(std::string(bytes, 'v'), B(1, 1)), NodeId(1), outbox_);
  }
  // Only the log has what is chosen so far.
  void ForgetAll() {
    while (acceptor_.dropped_index() < chosen_index_) {
      log_.push_back({acceptor_.dropped_index().Next(), acceptor_.VoteAt(acceptor_.dropped_index().Next())->entry});
      acceptor_.DropFirst();
    }
  }
  std::vector<FetchAnswer> Drain() {
    Output out;
    outbox_.Drain(kStart, out);
    return Sent<FetchAnswer>(out);
  }
  std::vector<FetchAnswer> Ask(const Fetch& fetch, uint32_t from = 2) {
    supply_.OnFetch(From(from, 1, fetch), fetch, chosen_index_, outbox_, reads_);
    return Drain();
  }
  // The log is read as asked.
  std::vector<FetchAnswer> ReadLog() {
    const LogRead read = reads_.at(0);
    reads_.clear();
    std::vector<SlotEntry> entries;
    size_t bytes = 0;
    for (const SlotEntry& item : log_) {
      if (item.slot < read.first_slot || item.slot > read.last_slot) continue;
      bytes += EntryBytes(*item.entry);
      if (!entries.empty() && bytes > read.bytes_max) break;
      entries.push_back(item);
    }
    supply_.OnLogRead(read, entries, chosen_index_, outbox_, reads_);
    return Drain();
  }

  const Options options_ = MakeOptions();
  Outbox outbox_{Self(1)};
  Acceptor acceptor_;
  Supply supply_;
  Slot chosen_index_;
  std::vector<SlotEntry> log_;
  std::vector<LogRead> reads_;
};

TEST_F(SupplyTest, SmallEntriesShareAnAnswer) {
  for (int i = 0; i < 4; ++i) Choose(100);
  const auto answers =
      Ask({.stream = 1, .number = 1, .position = {.slot = Slot(2)}, .last_slot = Slot(9), .credit = 10});
  ASSERT_THAT(answers, SizeIs(1));
  ASSERT_THAT(answers[0].entries, SizeIs(3)) << "chosen ones only";
  EXPECT_EQ(answers[0].entries[0].slot, Slot(2));
  EXPECT_EQ(answers[0].chosen_index, Slot(4));
}

TEST_F(SupplyTest, LargeEntriesComeInPartsAsFarAsTheCreditGoes) {
  Choose(2500);
  Fetch fetch{.stream = 1, .number = 1, .position = {.slot = Slot(1)}, .last_slot = Slot(1), .credit = 2000};
  const auto first = Ask(fetch);
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_EQ(first[0].part->first_byte, 0u);
  EXPECT_EQ(first[1].part->first_byte, 1000u);
  EXPECT_EQ(first[1].sent, StreamBytes(first[0]));
  EXPECT_THAT(Ask(fetch), IsEmpty()) << "a repeated Fetch sends nothing again";
  fetch.number = 2;
  fetch.credit = 3000;
  const auto rest = Ask(fetch);
  ASSERT_THAT(rest, SizeIs(1));
  EXPECT_EQ(rest[0].fetch, 2u);
  EXPECT_EQ(rest[0].part->first_byte + rest[0].part->piece->payload.size(), rest[0].part->payload_bytes);
}

TEST_F(SupplyTest, AFetchThatCameLateTakesNoCreditBack) {
  Choose(9000);
  const Fetch fetch{.stream = 1, .number = 2, .position = {.slot = Slot(1)}, .last_slot = Slot(1), .credit = 3000};
  EXPECT_THAT(Ask(fetch), SizeIs(3));
  EXPECT_THAT(Ask({.stream = 1, .number = 1, .position = {.slot = Slot(1)}, .last_slot = Slot(1), .credit = 1000}),
              IsEmpty());
}

TEST_F(SupplyTest, NobodyGetsMoreThanAWindow) {
  Choose(90'000);
  const auto answers =
      Ask({.stream = 1, .number = 1, .position = {.slot = Slot(1)}, .last_slot = Slot(1), .credit = uint64_t{1} << 62});
  EXPECT_THAT(answers, SizeIs(5));
}

TEST_F(SupplyTest, AStreamThatIsNotKnownBeginsWhereThePeerStands) {
  Choose(2500);
  const auto answers = Ask({.stream = 7,
                            .number = 30,
                            .position = {.slot = Slot(1), .byte = 2000},
                            .last_slot = Slot(1),
                            .received = 80'000,
                            .credit = 81'000});
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].sent, 80'000u);
  EXPECT_EQ(answers[0].part->first_byte, 2000u);
}

TEST_F(SupplyTest, AnOlderStreamIsNotServedAnyMore) {
  Choose(100);
  Fetch fetch{.stream = 2, .number = 1, .position = {.slot = Slot(1)}, .last_slot = Slot(1), .credit = 10};
  EXPECT_THAT(Ask(fetch), SizeIs(1));
  fetch.stream = 1;
  EXPECT_THAT(Ask(fetch), IsEmpty());
}

TEST_F(SupplyTest, ReadsThePagesOfTheLogOnce) {
  for (int i = 0; i < 5; ++i) Choose(600);
  ForgetAll();
  Fetch fetch{.stream = 1, .number = 1, .position = {.slot = Slot(1)}, .last_slot = Slot(5), .credit = 1000};
  EXPECT_THAT(Ask(fetch), IsEmpty());
  ASSERT_THAT(reads_, SizeIs(1));
  EXPECT_EQ(reads_[0].first_slot, Slot(1));
  EXPECT_THAT(ReadLog(), SizeIs(1));
  fetch.credit = 5000;
  EXPECT_THAT(Ask(fetch), SizeIs(2));
  EXPECT_THAT(reads_, IsEmpty());
}

TEST_F(SupplyTest, WhatTheLogLacksIsNotAskedForAgainAndAgain) {
  Choose(600);
  ForgetAll();
  log_.clear();
  Ask({.stream = 1, .number = 1, .position = {.slot = Slot(1)}, .last_slot = Slot(1), .credit = 1000});
  EXPECT_THAT(ReadLog(), IsEmpty());
  EXPECT_THAT(reads_, IsEmpty());
}

TEST_F(SupplyTest, SaysThatItHasNothing) {
  Choose(100);
  const auto answers =
      Ask({.stream = 1, .number = 1, .position = {.slot = Slot(2)}, .last_slot = Slot(9), .credit = 1000});
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_TRUE(answers[0].IsEmpty());
  EXPECT_EQ(answers[0].chosen_index, Slot(1));
}

TEST_F(SupplyTest, APlaceBeyondTheEndOfAnEntryGetsNothing) {
  Choose(2500);
  ForgetAll();
  Ask({.stream = 1, .number = 1, .position = {.slot = Slot(1), .byte = 1 << 20}, .last_slot = Slot(1), .credit = 1000});
  EXPECT_THAT(ReadLog(), IsEmpty());
  EXPECT_THAT(reads_, IsEmpty());
}

}  // namespace
}  // namespace decree::paxos
