#include "paxos/core/learner/catch_up.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr NodeId kN1(1);
constexpr NodeId kN2(2);

class CatchUpTest : public testing::Test {
 protected:
  struct Asked {
    NodeId source;
    Fetch fetch;
  };

  // What is asked now, if anything is.
  std::optional<Asked> Pump() {
    catch_up_.Pump(chosen_index_, now_, outbox_);
    Output out;
    outbox_.Drain(now_, out);
    EXPECT_LE(out.messages.size(), 1u);
    if (out.messages.empty()) return std::nullopt;
    return Asked{.source = out.messages[0].to, .fetch = std::get<Fetch>(out.messages[0].message)};
  }
  std::optional<Asked> PumpAtDeadline() {
    if (catch_up_.NextDeadline() == kTimeNever) return std::nullopt;
    now_ = std::max(now_, catch_up_.NextDeadline());
    return Pump();
  }
  // A peer named a higher index, and it is time to fetch.
  void Know(NodeId peer, uint64_t chosen_index) {
    catch_up_.OnNamed(peer, Life(peer.value()), Slot(chosen_index), kNoSlot, now_);
    catch_up_.BeginBy(now_);
  }
  // Takes an answer in, and what it brings as chosen.
  std::vector<SlotEntry> Take(NodeId from, const FetchAnswer& answer) {
    std::vector<SlotEntry> ready = catch_up_.OnAnswer(from, answer, now_);
    for (const SlotEntry& item : ready) {
      EXPECT_EQ(item.slot, chosen_index_.Next());
      chosen_index_ = item.slot;
    }
    return ready;
  }
  static FetchAnswer Entries(const Fetch& fetch, uint64_t sent, uint64_t first, uint64_t last) {
    FetchAnswer answer{.stream = fetch.stream, .fetch = fetch.number, .sent = sent, .chosen_index = Slot(9)};
    for (uint64_t slot = first; slot <= last; ++slot) {
      answer.entries.push_back({Slot(slot), Value("v", B(1, 1))});
    }
    return answer;
  }
  static FetchAnswer Part(const Fetch& fetch, uint64_t sent, uint64_t slot, const EntryPtr& whole, uint64_t first_byte,
                          size_t size) {
    Entry piece = *whole;
    piece.payload = whole->payload.substr(first_byte, size);
    return {.stream = fetch.stream,
            .fetch = fetch.number,
            .sent = sent,
            .chosen_index = Slot(9),
            .part = {{.slot = Slot(slot),
                      .piece = std::make_shared<const Entry>(piece),
                      .first_byte = first_byte,
                      .payload_bytes = whole->payload.size()}}};
  }

  Options options_;
  Slot chosen_index_;
  CatchUp catch_up_{options_, kNoSlot};
  Outbox outbox_{Self(9)};
  Time now_ = kStart;
};

TEST_F(CatchUpTest, AsksTheLeaderFirst) {
  Know(kN1, 9);
  Know(kN2, 4);
  catch_up_.Prefer(kN2);
  const auto asked = Pump();
  ASSERT_TRUE(asked.has_value());
  EXPECT_EQ(asked->source, kN2);
  EXPECT_EQ(asked->fetch.position.slot, Slot(1));
  EXPECT_EQ(asked->fetch.last_slot, Slot(4));
  EXPECT_EQ(asked->fetch.credit, options_.fetch_piece_bytes);
}

TEST_F(CatchUpTest, WithoutAnAnswerAnotherIsAskedAndThenTheFirstAgain) {
  Know(kN1, 9);
  Know(kN2, 4);
  EXPECT_EQ(Pump()->source, kN1) << "it knows more";
  EXPECT_EQ(PumpAtDeadline()->source, kN2);
  EXPECT_EQ(PumpAtDeadline()->source, kN1);
}

TEST_F(CatchUpTest, WhoIsHeardIsAskedBeforeWhoHasFallenSilent) {
  Know(kN1, 9);
  Know(kN2, 4);
  // This node was cut off: nobody has answered, again and again. n1 was asked longest ago.
  for (int i = 0; i < 8; ++i) PumpAtDeadline();
  now_ += Seconds(10);
  Know(kN2, 4);
  auto asked = Pump();
  for (int i = 0; !asked.has_value() && i < 2; ++i) asked = PumpAtDeadline();
  EXPECT_EQ(asked->source, kN2);
}

TEST_F(CatchUpTest, TheSamePageIsNotAskedForWhileItTravels) {
  Know(kN1, 9);
  ASSERT_TRUE(Pump().has_value());
  for (int i = 0; i < 9; ++i) {
    now_ += Milliseconds(20);
    Know(kN1, 9 + static_cast<uint64_t>(i));  // as every Accept says
    EXPECT_FALSE(Pump().has_value()) << i;
  }
}

TEST_F(CatchUpTest, OneSourceIsGivenTwiceAsLongEachTimeUpToABound) {
  Know(kN1, 9);
  Pump();
  Duration wait = options_.retransmit;
  for (int i = 0; i < 3; ++i) {
    const Time asked_at = now_;
    wait *= 2;
    EXPECT_FALSE(PumpAtDeadline().has_value()) << "the answer may still be on its way";
    EXPECT_TRUE(PumpAtDeadline().has_value());
    EXPECT_EQ(now_ - asked_at, wait);
  }
  for (int i = 0; i < 5; ++i) {
    const Time asked_at = now_;
    EXPECT_TRUE(PumpAtDeadline().has_value()) << "it is heard, and may be the only one";
    EXPECT_EQ(now_ - asked_at, wait);
  }
}

// It is heard, and what it is asked for gets lost: others must not wait for it each time.
TEST_F(CatchUpTest, ALeaderThatNeverAnswersIsAskedFirstMoreAndMoreSeldom) {
  catch_up_.Prefer(kN1);
  std::map<NodeId, int> first_asked;
  for (uint64_t slot = 1; slot <= 20; ++slot, now_ += Milliseconds(400)) {
    Know(kN1, slot);
    Know(kN2, slot);
    auto asked = Pump();
    ++first_asked[asked.value().source];
    while (asked.value().source == kN1) asked = PumpAtDeadline();
    EXPECT_THAT(Take(kN2, Entries(asked->fetch, 0, slot, slot)), SizeIs(1));
    Pump();
  }
  EXPECT_LE(first_asked[kN1], 8) << "in twelve seconds, when at last it is every 1.6";
  EXPECT_GE(first_asked[kN1], 5);
}

TEST_F(CatchUpTest, WhereNobodyAnswersInTimeEachIsGivenLonger) {
  for (uint32_t node = 1; node <= 5; ++node) Know(NodeId(node), 9);
  auto asked = Pump();
  for (int i = 0; i < 5; ++i) asked = PumpAtDeadline();
  const Time asked_at = now_;
  while (now_ < asked_at + 8 * options_.retransmit) {
    ASSERT_FALSE(Pump().has_value()) << "another was asked";
    now_ += Milliseconds(10);
  }
  EXPECT_TRUE(Pump().has_value());
}

// The links carry a piece in ten times the time that an answer is given at first.
TEST(SlowLinkTest, EachSourceIsGivenTheTimeThatAPieceTakes) {
  Options options;
  options.retransmit = Milliseconds(20);
  options.election_timeout_max = Seconds(1);
  CatchUp catch_up(options, kNoSlot);
  Outbox outbox(Self(9));
  Time now = kStart;
  std::map<Time, Envelope> on_the_way;
  for (int step = 0; step < 1000; ++step, now += Milliseconds(10)) {
    // They are heard all the time.
    for (uint32_t node = 1; node <= 6; ++node) catch_up.OnNamed(NodeId(node), Life(node), Slot(1), kNoSlot, now);
    catch_up.BeginBy(now);
    for (; !on_the_way.empty() && on_the_way.begin()->first <= now; on_the_way.erase(on_the_way.begin())) {
      const Envelope& asked = on_the_way.begin()->second;
      const Fetch& fetch = std::get<Fetch>(asked.message);
      FetchAnswer answer{.stream = fetch.stream, .fetch = fetch.number, .chosen_index = Slot(1)};
      answer.entries = {{Slot(1), Value("v", B(1, 1))}};
      if (!catch_up.OnAnswer(asked.to, answer, now).empty()) return;
    }
    catch_up.Pump(kNoSlot, now, outbox);
    Output out;
    outbox.Drain(now, out);
    for (const Envelope& asked : out.messages) on_the_way.emplace(now + Milliseconds(200), asked);
  }
  FAIL() << "no answer is waited for";
}

TEST_F(CatchUpTest, WhoComesBackIsAskedAtOnce) {
  Know(kN1, 9);
  Pump();
  for (int i = 0; i < 8; ++i) PumpAtDeadline();
  now_ += Milliseconds(1);
  Know(kN1, 9);
  EXPECT_TRUE(Pump().has_value());
}

TEST_F(CatchUpTest, ASourceThatHasTrimmedMeanwhileIsLeft) {
  Know(kN1, 9);
  Pump();
  catch_up_.OnNamed(kN1, Life(1), Slot(9), Slot(5), now_);
  EXPECT_FALSE(Pump().has_value());
  EXPECT_EQ(catch_up_.NextDeadline(), kTimeNever);
  Know(kN2, 9);
  EXPECT_EQ(Pump()->source, kN2);
}

TEST_F(CatchUpTest, AnEmptyAnswerThatOvertakesTheRestEndsNothing) {
  Know(kN1, 9);
  const Fetch fetch = Pump()->fetch;
  EXPECT_THAT(Take(kN1, {.stream = fetch.stream, .fetch = fetch.number, .sent = 100, .chosen_index = Slot(9)}),
              IsEmpty());
  EXPECT_THAT(Take(kN1, Entries(fetch, 0, 1, 9)), SizeIs(9));
}

TEST_F(CatchUpTest, AnAnswerThatTookLongIsTaken) {
  Know(kN1, 9);
  const Fetch fetch = Pump()->fetch;
  EXPECT_FALSE(PumpAtDeadline().has_value());
  EXPECT_THAT(Take(kN1, Entries(fetch, 0, 1, 9)), SizeIs(9));
}

TEST_F(CatchUpTest, AnswersGiveNewCreditAndTheEndOfTheGapEndsIt) {
  Know(kN1, 9);
  const Fetch first = Pump()->fetch;
  now_ += options_.fetch_queue_target;  // as long as it may take: the window stays as it is
  EXPECT_THAT(Take(kN1, Entries(first, 0, 1, 5)), SizeIs(5));
  now_ += Seconds(1);
  const EntryPtr large = Value(std::string(2 * options_.fetch_piece_bytes, 'x'), B(1, 1));
  const uint64_t sent = StreamBytes(Entries(first, 0, 1, 5));
  Take(kN1, Part(first, sent, 6, large, 0, 20'000));
  const auto more = Pump();
  ASSERT_TRUE(more.has_value());
  EXPECT_EQ(more->fetch.stream, first.stream);
  EXPECT_GT(more->fetch.number, first.number);
  EXPECT_GT(more->fetch.credit, first.credit);
  EXPECT_EQ(more->fetch.position, (LogPosition{.slot = Slot(6), .byte = 20'000}));
  chosen_index_ = Slot(9);
  EXPECT_FALSE(Pump().has_value());
  EXPECT_EQ(catch_up_.NextDeadline(), kTimeNever);
}

TEST_F(CatchUpTest, WhatComesTooEarlyWaitsForWhatPrecedesIt) {
  Know(kN1, 9);
  const Fetch fetch = Pump()->fetch;
  const FetchAnswer first = Entries(fetch, 0, 1, 2);
  const FetchAnswer second = Entries(fetch, StreamBytes(first), 3, 4);
  EXPECT_THAT(Take(kN1, second), IsEmpty());
  EXPECT_THAT(Take(kN1, first), SizeIs(4));
  EXPECT_THAT(Take(kN1, first), IsEmpty()) << "repeated";
}

TEST_F(CatchUpTest, ASourceThatSendsMoreThanAWindowFillsNoMemory) {
  Know(kN1, 9);
  const Fetch fetch = Pump()->fetch;
  const EntryPtr large = Value(std::string(options_.fetch_window_bytes_max / 2, 'x'), B(1, 1));
  // Each begins within the credit, and is far above it.
  for (uint64_t sent = 1; sent <= 3; ++sent) {
    Take(kN1, Part(fetch, sent, 1, large, 0, options_.fetch_window_bytes_max));
  }
  EXPECT_LE(catch_up_.early_bytes(), options_.fetch_window_bytes_max);
  EXPECT_GT(catch_up_.early_bytes(), 0u);
  EXPECT_THAT(Take(kN1, Entries(fetch, 0, 1, 1)), SizeIs(1)) << "what is next is taken";
}

TEST_F(CatchUpTest, WhatWasNotAskedForIsDropped) {
  Know(kN1, 9);
  const Fetch fetch = Pump()->fetch;
  EXPECT_THAT(Take(kN2, Entries(fetch, 0, 1, 2)), IsEmpty());
  EXPECT_THAT(Take(kN1, Entries(fetch, fetch.credit, 1, 2)), IsEmpty()) << "beyond the credit";
  FetchAnswer other = Entries(fetch, 0, 1, 2);
  ++other.stream;
  EXPECT_THAT(Take(kN1, other), IsEmpty());
}

TEST_F(CatchUpTest, PartsOfAnEntryMayComeFromTwoSources) {
  Know(kN1, 1);
  Know(kN2, 1);
  const EntryPtr large = Value(std::string(3000, 'x'), B(1, 1));
  const auto first = Pump();
  EXPECT_THAT(Take(first->source, Part(first->fetch, 0, 1, large, 0, 1000)), IsEmpty());
  // It falls silent: asked once more, for it had answered, then the other.
  auto second = PumpAtDeadline();
  EXPECT_EQ(second->source, first->source);
  second = PumpAtDeadline();
  ASSERT_NE(second->source, first->source);
  EXPECT_EQ(second->fetch.position, (LogPosition{.slot = Slot(1), .byte = 1000}));
  const auto ready = Take(second->source, Part(second->fetch, 0, 1, large, 1000, 5000));
  ASSERT_THAT(ready, SizeIs(1));
  EXPECT_EQ(*ready[0].entry, *large);
}

TEST_F(CatchUpTest, PartsOfTwoValuesAreNotPutTogether) {
  Know(kN1, 1);
  Know(kN2, 1);
  const auto first = Pump();
  const FetchAnswer part = Part(first->fetch, 0, 1, Value(std::string(3000, 'x'), B(1, 1)), 0, 1000);
  const EntryPtr other = Value(std::string(3000, 'y'), B(2, 2));
  Take(first->source, part);
  EXPECT_THAT(Take(first->source, Part(first->fetch, StreamBytes(part), 1, other, 1000, 5000)), IsEmpty());
  const auto again = Pump();
  EXPECT_NE(again->source, first->source);
  EXPECT_EQ(again->fetch.position, (LogPosition{.slot = Slot(1), .byte = 0}));
}

TEST_F(CatchUpTest, ASourceThatHasNothingIsLeftAtOnce) {
  Know(kN1, 9);
  Know(kN2, 4);
  const Fetch fetch = Pump()->fetch;
  Take(kN1, {.stream = fetch.stream, .fetch = fetch.number, .chosen_index = kNoSlot});
  EXPECT_EQ(Pump()->source, kN2);
  EXPECT_EQ(catch_up_.target(), Slot(4)) << "what it said before it does not know any more";
}

TEST_F(CatchUpTest, ASourceThatHasTrimmedWhatIsMissingIsNotAsked) {
  catch_up_.OnNamed(kN1, Life(1), Slot(9), Slot(3), now_);
  Know(kN2, 4);
  EXPECT_EQ(Pump()->source, kN2);
  chosen_index_ = Slot(4);
  EXPECT_EQ(Pump()->source, kN1) << "the rest it has";
}

TEST_F(CatchUpTest, AProcessThatStartedAgainIsTakenAtItsWord) {
  Know(kN1, 9);
  catch_up_.OnNamed(kN1, Life(77), Slot(2), kNoSlot, now_);
  EXPECT_EQ(catch_up_.target(), Slot(2));
}

TEST_F(CatchUpTest, WhatArrivedOtherwiseIsNotFetched) {
  Know(kN1, 9);
  const Fetch fetch = Pump()->fetch;
  chosen_index_ = Slot(6);
  const auto again = Pump();
  ASSERT_TRUE(again.has_value());
  EXPECT_GT(again->fetch.stream, fetch.stream);
  EXPECT_EQ(again->fetch.position.slot, Slot(7));
}

TEST_F(CatchUpTest, WhatTheSourceHasLearntSinceIsAskedForAtOnce) {
  Know(kN1, 2);
  const Fetch fetch = Pump()->fetch;
  Know(kN1, 5);
  Take(kN1, Entries(fetch, 0, 1, 2));
  const auto more = Pump();
  ASSERT_TRUE(more.has_value());
  EXPECT_EQ(more->fetch.last_slot, Slot(9)) << "as its answer said";
}

}  // namespace
}  // namespace decree::paxos
