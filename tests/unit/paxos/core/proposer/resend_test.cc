// What phase 2 asks a voter, and sends it again.

#include <algorithm>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/core/proposer/phase2.h"
#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// The voter n2 is asked, and answers what the test says.
class ResendTest : public testing::Test {
 protected:
  static constexpr Ballot kBallot{.round = 9, .node = NodeId(1)};
  static constexpr NodeId kVoter{2};
  ResendTest() { options_.fetch_piece_bytes = 2500; }

  Output Drain() {
    Output out;
    outbox_.Drain(kStart, out);
    return out;
  }
  // So many slots of about 1000 bytes each.
  void SendSlots(uint64_t last) {
    sender_.emplace(options_);
    sender_->Start(kBallot);
    for (uint64_t slot = 1; slot <= last; ++slot) sender_->Propose(Slot(slot), Value(std::string(1000, 'v'), kBallot));
    sender_->Send(three_, Slot(), now_, outbox_);
    Drain();
  }
  // What the voter is sent when something is due.
  std::vector<Accept> TickWhenDue() {
    now_ = std::max(now_, sender_->NextDeadline());
    return Tick();
  }
  std::vector<Accept> Tick() {
    sender_->Retransmit(three_, Slot(), now_, outbox_);
    std::vector<Accept> sent;
    for (const Envelope& envelope : Drain().messages) {
      if (envelope.to == kVoter) sent.push_back(std::get<Accept>(envelope.message));
    }
    return sent;
  }
  void Answer(const Accept& question, std::vector<Slot> slots) {
    sender_->OnAccepted(kVoter, {.ballot = kBallot, .slots = std::move(slots), .inquiry = question.inquiry}, three_);
  }
  // The only message that is due, which must be a question.
  Accept TakeQuestion() {
    std::vector<Accept> sent = TickWhenDue();
    EXPECT_THAT(sent, SizeIs(1));
    EXPECT_THAT(sent.at(0).entries, IsEmpty());
    return sent.at(0);
  }
  static std::vector<Slot> SlotsOf(const std::vector<Accept>& sent) {
    std::vector<Slot> slots;
    for (const Accept& accept : sent) {
      for (const SlotEntry& item : accept.entries) slots.push_back(item.slot);
    }
    return slots;
  }
  static std::vector<Slot> Range(uint64_t first, uint64_t last) {
    std::vector<Slot> slots;
    for (uint64_t slot = first; slot <= last; ++slot) slots.emplace_back(slot);
    return slots;
  }

  Options options_;
  const Configuration three_ = Voters(3);
  Outbox outbox_{Self(1)};
  Time now_ = kStart;
  std::optional<Phase2> sender_;
};

TEST_F(ResendTest, SendsNothingAgainThatMayBeOnItsWay) {
  SendSlots(3);
  for (int i = 0; i < 6; ++i) EXPECT_THAT(SlotsOf(TickWhenDue()), IsEmpty());
  EXPECT_GT(now_, kStart + 30 * options_.retransmit);
}

TEST_F(ResendTest, SendsWhatIsLackingOncePerAnswer) {
  SendSlots(2);
  const Accept first = TakeQuestion();
  const Accept second = TakeQuestion();
  EXPECT_EQ(second.asked, Range(1, 2));
  Answer(first, {Slot(1)});
  const auto copies = TickWhenDue();
  EXPECT_EQ(SlotsOf(copies), Range(2, 2));
  // It left before the copy, and says nothing about it.
  Answer(second, {Slot(1)});
  EXPECT_THAT(SlotsOf(Tick()), IsEmpty());
}

TEST_F(ResendTest, AnAnswerFromBeforeTheCopyDoesNotStopTheNext) {
  SendSlots(20);
  const Accept first = TakeQuestion();
  const Accept second = TakeQuestion();
  Answer(first, {});
  const auto copies = Tick();
  ASSERT_THAT(copies, SizeIs(1));
  Answer(second, {});
  Answer(copies[0], SlotsOf(copies));
  EXPECT_THAT(SlotsOf(Tick()), SizeIs(4));
}

TEST_F(ResendTest, SendsOnlyWhatIsLackingAndWasAskedFor) {
  options_.fetch_piece_bytes = 1 << 20;
  SendSlots(4);
  const Accept question = TakeQuestion();
  sender_->Propose(Slot(5), Value("v", kBallot));  // this one may be on its way
  sender_->Send(three_, Slot(), now_, outbox_);
  Drain();
  Answer(question, {Slot(2)});
  EXPECT_EQ(SlotsOf(Tick()), (std::vector{Slot(1), Slot(3), Slot(4)}));
}

TEST_F(ResendTest, WhatIsAcceptedMeanwhileIsNotSentAgain) {
  SendSlots(2);
  Answer(TakeQuestion(), {});
  sender_->OnAccepted(kVoter, {.ballot = kBallot, .slots = Range(1, 2)}, three_);
  EXPECT_THAT(Tick(), IsEmpty());
  sender_->Propose(Slot(3), Value("v", kBallot));
  sender_->Send(three_, Slot(), now_, outbox_);
  Drain();
  for (int i = 0; i < 8; ++i) EXPECT_THAT(SlotsOf(TickWhenDue()), IsEmpty()) << "and the next is asked for first";
}

TEST_F(ResendTest, SendsTwiceAsMuchWithEachCopyThatIsTaken) {
  SendSlots(20);
  Answer(TakeQuestion(), {});
  uint64_t next = 1;
  for (const uint64_t count : {2, 4, 9, 5}) {
    const auto copies = Tick();
    ASSERT_THAT(copies, SizeIs(1)) << "at once";
    EXPECT_EQ(SlotsOf(copies), Range(next, next + count - 1));
    Answer(copies[0], SlotsOf(copies));
    next += count;
  }
  EXPECT_THAT(Tick(), IsEmpty());
}

TEST_F(ResendTest, AVoterThatTakesNothingIsAskedBeforeTheNextCopyAndMoreSeldom) {
  SendSlots(20);
  Answer(TakeQuestion(), {});
  Duration wait = Duration::zero();
  for (int i = 0; i < 5; ++i) {
    const auto copies = Tick();
    ASSERT_EQ(SlotsOf(copies), Range(1, 2)) << "not more each time";
    Answer(copies[0], {});
    EXPECT_THAT(Tick(), IsEmpty()) << "it would not take it now either";
    Answer(copies[0], {});
    EXPECT_THAT(Tick(), IsEmpty()) << "the answer came twice";
    const Time before = now_;
    Answer(TakeQuestion(), {});
    EXPECT_GE(now_ - before, wait);
    wait = now_ - before;
  }
  EXPECT_EQ(wait, 8 * options_.retransmit);
}

TEST_F(ResendTest, ACopyWithoutAnAnswerIsAskedFor) {
  SendSlots(5);
  Answer(TakeQuestion(), {});
  ASSERT_EQ(SlotsOf(Tick()), Range(1, 2));
  const Accept question = TakeQuestion();
  EXPECT_EQ(question.asked, Range(1, 5));
  Answer(question, Range(1, 2));
  EXPECT_EQ(SlotsOf(Tick()), Range(3, 5)) << "its answer was lost, and it got on";
}

TEST_F(ResendTest, WhoGetsOnIsAskedAgainAsSoonAsAtFirst) {
  SendSlots(20);
  for (int i = 0; i < 4; ++i) TakeQuestion();
  Answer(TakeQuestion(), {});
  const auto copies = Tick();
  Answer(copies.at(0), SlotsOf(copies));
  ASSERT_THAT(SlotsOf(Tick()), SizeIs(4));
  const Time before = now_;
  TakeQuestion();
  EXPECT_EQ(now_ - before, options_.retransmit);
}

TEST_F(ResendTest, AnswersToWhatWasNeverAskedCountAsVotesAlone) {
  SendSlots(5);
  Accept question = TakeQuestion();
  question.inquiry += 100;
  Answer(question, {Slot(1)});
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_EQ(TakeQuestion().asked, Range(2, 5));
}

TEST_F(ResendTest, AnAnswerOfAnotherVoterSaysNothingAboutThisOne) {
  SendSlots(2);
  const Accept question = TakeQuestion();
  sender_->OnAccepted(NodeId(3), {.ballot = kBallot, .slots = {Slot(2)}, .inquiry = question.inquiry}, three_);
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_EQ(TakeQuestion().asked, Range(1, 2));
}

TEST_F(ResendTest, SlotsThatCameLaterAreAskedForByThemselves) {
  SendSlots(2);
  Answer(TakeQuestion(), Range(1, 2));
  sender_->Propose(Slot(3), Value("v", kBallot));
  sender_->Send(three_, Slot(), now_, outbox_);
  Drain();
  const Time sent_at = now_;
  Accept question;
  do {
    for (const Accept& accept : TickWhenDue()) question = accept;
  } while (question.asked.empty());
  EXPECT_EQ(question.asked, Range(3, 3));
  EXPECT_EQ(now_ - sent_at, options_.retransmit) << "as for the first time";
}

}  // namespace
}  // namespace decree::paxos
