#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/core/proposer/phase1.h"
#include "paxos/core/proposer/phase2.h"
#include "paxos/core/protocol/entry_assembly.h"
#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

Promise Page(Ballot ballot, uint64_t first, Slot last, std::vector<Vote> votes = {}) {
  return {.ballot = ballot,
          .position = {Slot(first)},
          .last_slot = last,
          .trim_point = {},
          .chosen_index = {},
          .votes = std::move(votes)};
}

Vote VoteOf(uint64_t slot, Ballot ballot, bool chosen = false) {
  return {.slot = Slot(slot), .ballot = ballot, .chosen = chosen, .entry = Value("v", ballot)};
}

class Phase1Test : public testing::Test {
 protected:
  Phase1Test() { phase1_.Start(kBallot, Slot(1)); }
  // The slot from which the next page is wanted.
  std::optional<Slot> Take(uint32_t from, const Promise& promise) {
    const auto next = phase1_.OnPromise(NodeId(from), promise, now_);
    return next.has_value() ? std::optional(next->slot) : std::nullopt;
  }
  // So many bytes of a vote of n2 at slot 3.
  std::optional<LogPosition> TakePart(const Entry& entry, uint64_t first_byte, size_t bytes) {
    Promise page = Page(kBallot, 3, Slot(3));
    page.position = phase1_.WantedFrom(NodeId(2)).value();
    page.part = {.ballot = B(5, 3), .entry = PartOf(Slot(3), entry, first_byte, bytes)};
    return phase1_.OnPromise(NodeId(2), page, now_);
  }
  // The acceptor of one node holds 1 MiB at most.
  static Options SmallNode() {
    Options options;
    options.tail_bytes_max = options.window_bytes_max = 0;
    options.batch_bytes_max = options.command_bytes_max = 256 << 10;
    return options;
  }

  static constexpr Ballot kBallot{.round = 9, .node = NodeId(1)};
  const Configuration three_ = Voters(3);
  Time now_ = kStart;
  Phase1 phase1_{SmallNode()};
};

TEST_F(Phase1Test, NeedsAQuorumOfCompletePromises) {
  Take(1, Page(kBallot, 1, Slot::Max()));
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
  Take(2, Page(kBallot, 1, Slot::Max()));
  EXPECT_TRUE(phase1_.IsComplete(three_, kNoSlot));
}

TEST_F(Phase1Test, CountsANodeOnce) {
  Take(1, Page(kBallot, 1, Slot::Max()));
  Take(1, Page(kBallot, 1, Slot::Max()));
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
}

TEST_F(Phase1Test, IgnoresPromisesOfAnotherBallot) {
  Take(1, Page(B(8, 1), 1, Slot::Max()));
  Take(2, Page(B(8, 1), 1, Slot::Max()));
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
}

TEST_F(Phase1Test, APromiseIsCompleteOnlyWithItsLastPage) {
  Take(1, Page(kBallot, 1, Slot::Max()));
  EXPECT_EQ(Take(2, Page(kBallot, 1, Slot(5))), Slot(6));
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
  EXPECT_EQ(phase1_.WantedFrom(NodeId(2)), LogPosition{Slot(6)});
  // A page out of order, or the first one again, changes nothing.
  EXPECT_EQ(Take(2, Page(kBallot, 9, Slot::Max())), std::nullopt);
  EXPECT_EQ(Take(2, Page(kBallot, 1, Slot(5))), std::nullopt);
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
  Take(2, Page(kBallot, 6, Slot::Max()));
  EXPECT_TRUE(phase1_.IsComplete(three_, kNoSlot));
}

TEST_F(Phase1Test, APromiseWithoutEndIsNotWaitedForNorKept) {
  Vote large = VoteOf(1, B(2, 2));
  large.entry = Value(std::string(300'000, 'v'), B(2, 2));
  uint64_t slot = 1;
  while (slot < 100) {
    large.slot = Slot(slot);
    if (!Take(2, Page(kBallot, slot, Slot(slot), {large})).has_value()) break;
    ++slot;
  }
  EXPECT_EQ(slot, 4u) << "a megabyte is the limit here";
  EXPECT_THAT(phase1_.votes(), SizeIs(3));
  Take(2, Page(kBallot, slot, Slot::Max(), {large}));
  Take(1, Page(kBallot, 1, Slot::Max()));
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
  Take(3, Page(kBallot, 1, Slot::Max()));
  EXPECT_TRUE(phase1_.IsComplete(three_, kNoSlot));
}

TEST_F(Phase1Test, NorAreOnesInPartsWithoutEnd) {
  const EntryPtr large = Value(std::string(300'000, 'v'), B(4, 2));
  Take(2, Page(kBallot, 1, Slot(2)));
  int parts = 0;  // of which none follows on
  while (parts < 100 && TakePart(*large, 100, 300'000).has_value()) ++parts;
  EXPECT_EQ(parts, 3) << "a megabyte is the limit here";
}

TEST_F(Phase1Test, KeepsTheVoteOfTheHighestBallot) {
  Take(1, Page(kBallot, 1, Slot::Max(), {VoteOf(4, B(3, 3)), VoteOf(5, B(2, 2))}));
  Take(2, Page(kBallot, 1, Slot::Max(), {VoteOf(4, B(2, 2)), VoteOf(5, B(3, 3))}));
  EXPECT_EQ(phase1_.votes().at(Slot(4)).ballot, B(3, 3));
  EXPECT_EQ(phase1_.votes().at(Slot(5)).ballot, B(3, 3));
}

TEST_F(Phase1Test, AChosenValueWinsOverAnyBallot) {
  Take(1, Page(kBallot, 1, Slot::Max(), {VoteOf(4, Ballot(), true)}));
  Take(2, Page(kBallot, 1, Slot::Max(), {VoteOf(4, B(3, 3))}));
  EXPECT_TRUE(phase1_.votes().at(Slot(4)).chosen);
}

TEST_F(Phase1Test, AVoteInPartsCountsOnceItIsWhole) {
  const EntryPtr large = Value(std::string(1000, 'v'), B(4, 2));
  Take(1, Page(kBallot, 1, Slot::Max()));
  EXPECT_EQ(Take(2, Page(kBallot, 1, Slot(2))), Slot(3));
  EXPECT_EQ(TakePart(*large, 0, 600), (LogPosition{Slot(3), 600}));
  EXPECT_EQ(TakePart(*large, 0, 600), std::nullopt) << "it was not asked for";
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
  EXPECT_THAT(phase1_.votes(), IsEmpty());
  EXPECT_EQ(TakePart(*large, 600, 600), LogPosition{Slot(4)});
  ASSERT_THAT(phase1_.votes(), SizeIs(1));
  EXPECT_EQ(*phase1_.votes().at(Slot(3)).entry, *large);
  EXPECT_EQ(phase1_.votes().at(Slot(3)).ballot, B(5, 3));
  EXPECT_FALSE(phase1_.IsComplete(three_, kNoSlot));
  Take(2, Page(kBallot, 4, Slot::Max()));
  EXPECT_TRUE(phase1_.IsComplete(three_, kNoSlot));
  EXPECT_EQ(phase1_.LastVote(three_, kNoSlot), Slot(3));
}

TEST_F(Phase1Test, APartThatDoesNotFollowOnIsAskedForFromItsBeginning) {
  const EntryPtr large = Value(std::string(1000, 'v'), B(4, 2));
  const EntryPtr other = Value(std::string(1000, 'w'), B(4, 3));
  Take(2, Page(kBallot, 1, Slot(2)));
  TakePart(*large, 0, 600);
  EXPECT_EQ(TakePart(*other, 600, 600), LogPosition{Slot(3)});
  EXPECT_EQ(TakePart(*other, 0, 500), (LogPosition{Slot(3), 500}));
  EXPECT_EQ(TakePart(*other, 500, 600), LogPosition{Slot(4)});
  EXPECT_EQ(*phase1_.votes().at(Slot(3)).entry, *other);
}

TEST_F(Phase1Test, APageIsAsLargeAsComesInTime) {
  const Options options = SmallNode();
  const auto page = [&](Duration taken) {
    now_ += taken;
    const Slot next = phase1_.WantedFrom(NodeId(2)).value().slot;
    Take(2, Page(kBallot, next.value(), next, {VoteOf(next.value(), B(3, 3))}));
    return phase1_.PageBytes(NodeId(2));
  };
  const uint64_t piece = options.fetch_piece_bytes;
  EXPECT_EQ(page(Seconds(1)), piece) << "this may have been the promise, and not the page";
  EXPECT_EQ(page(options.retransmit / 3), 2 * piece);
  EXPECT_EQ(page(options.retransmit / 3), 4 * piece);
  EXPECT_EQ(page(options.retransmit), 4 * piece);
  EXPECT_EQ(page(2 * options.retransmit), 2 * piece);
  for (int i = 0; i < 5; ++i) page(2 * options.retransmit);
  EXPECT_EQ(phase1_.PageBytes(NodeId(2)), piece);
  for (int i = 0; i < 20; ++i) page(Milliseconds(1));
  EXPECT_EQ(phase1_.PageBytes(NodeId(2)), options.page_bytes_max);
}

TEST_F(Phase1Test, WaitsForWhatItsQuorumKnowsToBeChosen) {
  Promise ahead = Page(kBallot, 1, Slot::Max());
  ahead.chosen_index = Slot(20);
  Take(1, Page(kBallot, 1, Slot::Max()));
  Take(2, ahead);
  EXPECT_FALSE(phase1_.IsComplete(three_, Slot(19)));
  EXPECT_TRUE(phase1_.IsComplete(three_, Slot(20)));
  // Another quorum is as good: who knows more may have died.
  Take(3, Page(kBallot, 1, Slot::Max()));
  EXPECT_TRUE(phase1_.IsComplete(three_, Slot(3)));
}

TEST_F(Phase1Test, OfSeveralPagesTheHighestChosenIndexCounts) {
  Promise first = Page(kBallot, 1, Slot(5));
  first.chosen_index = Slot(3);
  Promise last = Page(kBallot, 6, Slot::Max());
  last.chosen_index = Slot(7);
  Take(1, Page(kBallot, 1, Slot::Max()));
  Take(2, first);
  Take(2, last);
  EXPECT_FALSE(phase1_.IsComplete(three_, Slot(6)));
  EXPECT_TRUE(phase1_.IsComplete(three_, Slot(7)));
}

class Phase2Test : public testing::Test {
 protected:
  Phase2Test() : phase2_(options_) { phase2_.Start(kBallot); }
  std::vector<SlotEntry> Accepted(uint32_t from, std::vector<Slot> slots, Ballot ballot = kBallot) {
    return phase2_.OnAccepted(NodeId(from), {.ballot = ballot, .slots = std::move(slots)}, three_);
  }
  Output Drain() {
    Output out;
    outbox_.Drain(kStart, out);
    return out;
  }

  static constexpr Ballot kBallot{.round = 9, .node = NodeId(1)};
  Options options_;
  const Configuration three_ = Voters(3);
  Outbox outbox_{Self(1)};
  Phase2 phase2_;
};

TEST_F(Phase2Test, SendsAllGatheredSlotsInOneAccept) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  phase2_.Propose(Slot(2), Value("b", kBallot));
  phase2_.Send(three_, Slot(), kStart, outbox_);
  const Output out = Drain();
  ASSERT_THAT(Sent<Accept>(out), SizeIs(2));  // to the two others; our own comes back to us
  EXPECT_THAT(Sent<Accept>(out)[0].entries, SizeIs(2));
  EXPECT_TRUE(outbox_.TakeLoopback().has_value());
}

TEST_F(Phase2Test, ChoosesWithAQuorumOfDistinctVoters) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  EXPECT_THAT(Accepted(1, {Slot(1)}), IsEmpty());
  EXPECT_THAT(Accepted(1, {Slot(1)}), IsEmpty());
  EXPECT_THAT(Accepted(7, {Slot(1)}), IsEmpty()) << "not a member";
  EXPECT_THAT(Accepted(2, {Slot(1)}), SizeIs(1));
  EXPECT_EQ(phase2_.slots(), 0u);
  EXPECT_EQ(phase2_.bytes(), 0u);
}

TEST_F(Phase2Test, IgnoresVotesOfAnotherBallot) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  Accepted(1, {Slot(1)});
  EXPECT_THAT(Accepted(2, {Slot(1)}, B(8, 1)), IsEmpty());
}

TEST_F(Phase2Test, SlotsAreChosenInAnyOrder) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  phase2_.Propose(Slot(2), Value("b", kBallot));
  Accepted(1, {Slot(1), Slot(2)});
  EXPECT_THAT(Accepted(2, {Slot(2)}), SizeIs(1));
  EXPECT_THAT(Accepted(3, {Slot(1)}), SizeIs(1));
}

TEST_F(Phase2Test, AsksOnlyThoseThatHaveNotAccepted) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  phase2_.Send(three_, Slot(), kStart, outbox_);
  Drain();
  Accepted(1, {Slot(1)});
  phase2_.Retransmit(three_, Slot(), kStart + Milliseconds(1), outbox_);
  EXPECT_THAT(Drain().messages, IsEmpty()) << "too early";
  phase2_.Retransmit(three_, Slot(), phase2_.NextDeadline(), outbox_);
  const Output out = Drain();
  ASSERT_THAT(out.messages, SizeIs(2));
  for (const Envelope& envelope : out.messages) EXPECT_NE(envelope.to, NodeId(1));
  for (const Accept& question : Sent<Accept>(out)) {
    EXPECT_THAT(question.entries, IsEmpty()) << "it may be on its way";
    EXPECT_EQ(question.asked, std::vector{Slot(1)});
  }
}

TEST_F(Phase2Test, WaitsTwiceAsLongBeforeEachQuestion) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  phase2_.Send(three_, Slot(), kStart, outbox_);
  Time last = kStart;
  Duration wait = options_.retransmit;
  for (int i = 0; i < 3; ++i, wait *= 2) {
    EXPECT_EQ(phase2_.NextDeadline() - last, wait);
    last = phase2_.NextDeadline();
    phase2_.Retransmit(three_, Slot(), last, outbox_);
  }
}

TEST_F(Phase2Test, ASlotThatWasJustSentIsNotAskedForWithAnOlderOne) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  phase2_.Send(three_, Slot(), kStart, outbox_);
  const Time due = phase2_.NextDeadline();
  phase2_.Propose(Slot(2), Value("b", kBallot));
  phase2_.Send(three_, Slot(), due - Milliseconds(1), outbox_);
  phase2_.Propose(Slot(3), Value("c", kBallot));  // and this has not left at all
  Drain();
  phase2_.Retransmit(three_, Slot(), due, outbox_);
  const auto again = Sent<Accept>(Drain());
  ASSERT_THAT(again, SizeIs(2));
  EXPECT_EQ(again[0].asked, std::vector{Slot(1)});
  phase2_.Send(three_, Slot(), due, outbox_);
  EXPECT_THAT(Sent<Accept>(Drain()), SizeIs(2)) << "the third slot leaves now";
  const Time last = due + 2 * options_.retransmit - Milliseconds(1);
  phase2_.Retransmit(three_, Slot(), last, outbox_);
  EXPECT_THAT(Drain().messages, IsEmpty());
  EXPECT_EQ(phase2_.NextDeadline(), last + Milliseconds(1)) << "one question for all";
  phase2_.Retransmit(three_, Slot(), phase2_.NextDeadline(), outbox_);
  const auto questions = Sent<Accept>(Drain());
  ASSERT_THAT(questions, SizeIs(2));
  EXPECT_THAT(questions[0].asked, SizeIs(3));
}

TEST_F(Phase2Test, AVoterThatLagsIsSparedWhatTheOthersChoose) {
  options_.accept_backlog_bytes_max = 1000;
  Phase2 phase2(options_);
  phase2.Start(kBallot);
  const auto propose = [&](uint64_t slot) {
    phase2.Propose(Slot(slot), Value(std::string(300, 'v'), kBallot));
    phase2.Send(three_, Slot(slot - 1), kStart, outbox_);
    for (uint32_t voter : {1, 2}) {
      phase2.OnAccepted(NodeId(voter), {.ballot = kBallot, .chosen_index = Slot(slot - 1), .slots = {Slot(slot)}},
                        three_);
    }
    return Sent<Accept>(Drain()).size();
  };
  for (uint64_t slot = 1; slot <= 3; ++slot) EXPECT_EQ(propose(slot), 2u) << slot;
  EXPECT_EQ(propose(4), 1u) << "n3 has told nothing yet";
  phase2.OnVoterKnows(NodeId(3), Slot(4));
  for (uint64_t slot = 5; slot <= 7; ++slot) EXPECT_EQ(propose(slot), 2u) << "it has got on";
  EXPECT_EQ(propose(8), 1u);
  // If its vote is needed it is asked all the same, a little later.
  phase2.Propose(Slot(9), Value("v", kBallot));
  phase2.Send(three_, Slot(8), kStart, outbox_);
  EXPECT_THAT(Sent<Accept>(Drain()), SizeIs(1));
  phase2.Retransmit(three_, Slot(8), phase2.NextDeadline(), outbox_);
  EXPECT_THAT(Sent<Accept>(Drain()), SizeIs(2));
  // A vote alone does not tell that it lacks nothing before.
  phase2.OnAccepted(NodeId(3), {.ballot = kBallot, .chosen_index = Slot(4), .slots = {Slot(9)}}, three_);
  EXPECT_EQ(propose(10), 1u);
  phase2.OnAccepted(NodeId(3), {.ballot = kBallot, .chosen_index = Slot(9), .slots = {}}, three_);
  EXPECT_EQ(propose(11), 2u);
}

TEST_F(Phase2Test, AVoterThatHasCaughtUpIsAskedAgainForWhatItHasMissed) {
  phase2_.Start(B(10, 1));
  phase2_.Propose(Slot(5), Value("a", kBallot));
  phase2_.Send(three_, Slot(4), kStart, outbox_);
  phase2_.OnVoterKnows(NodeId(2), Slot(1));
  // Sent for the first time, it may be on its way.
  phase2_.OnVoterKnows(NodeId(2), Slot(4));
  EXPECT_EQ(phase2_.NextDeadline(), kStart + options_.retransmit);
  phase2_.OnVoterKnows(NodeId(3), Slot(2));
  Time now = kStart;
  for (int i = 0; i < 4; ++i) {
    now = phase2_.NextDeadline();
    phase2_.Retransmit(three_, Slot(4), now, outbox_);
  }
  Drain();
  phase2_.OnVoterKnows(NodeId(3), Slot(3));
  EXPECT_GT(phase2_.NextDeadline(), now + 7 * options_.retransmit) << "it lacks slots yet";
  phase2_.OnVoterKnows(NodeId(3), Slot(4));
  EXPECT_LE(phase2_.NextDeadline(), now);
  phase2_.Retransmit(three_, Slot(4), now, outbox_);
  EXPECT_THAT(Sent<Accept>(Drain()), SizeIs(1)) << "and nobody else";
  EXPECT_EQ(phase2_.NextDeadline(), now + options_.retransmit) << "as for the first time";
  phase2_.OnVoterKnows(NodeId(3), Slot(4));
  EXPECT_EQ(phase2_.NextDeadline(), now + options_.retransmit) << "once";
}

TEST_F(Phase2Test, StopsOnASecondValueForASlot) {
  phase2_.Propose(Slot(1), Value("a", kBallot));
  EXPECT_DEATH(phase2_.Propose(Slot(1), Value("b", kBallot)), "a second value");
}

}  // namespace
}  // namespace decree::paxos
