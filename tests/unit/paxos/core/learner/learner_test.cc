#include "paxos/core/learner/learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class LearnerTest : public testing::Test {
 protected:
  LearnerTest() : acceptor_(options_, {}, kStart), learner_(options_, {}, acceptor_) {}

  void Accept(uint64_t slot, Ballot ballot, const std::string& text = "v") {
    const paxos::Accept accept{.ballot = ballot, .chosen_index = {}, .entries = {{Slot(slot), Value(text, ballot)}}};
    const uint32_t from = ballot.node.value();
    acceptor_.OnAccept(From(from, 9, accept), accept, learner_.chosen_index(), outbox_);
  }
  Output Drain(Time now = kStart) {
    Output out;
    learner_.FetchMissing(now, outbox_);
    learner_.NoteChosenIndex(outbox_);
    learner_.EmitDurable(outbox_, out);
    outbox_.Drain(now, out);
    return out;
  }

  Options options_;
  Outbox outbox_{Self(9)};
  Acceptor acceptor_;
  Learner learner_;
};

TEST_F(LearnerTest, TakesWhatWasAcceptedUnderTheLeadersBallot) {
  Accept(1, B(5, 1));
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(1), kStart);
  EXPECT_TRUE(learner_.Advance());
  EXPECT_EQ(learner_.chosen_index(), Slot(1));
}

TEST_F(LearnerTest, DoesNotTakeAVoteUnderAnotherBallot) {
  Accept(1, B(4, 2));
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(1), kStart);
  EXPECT_FALSE(learner_.Advance());
}

TEST_F(LearnerTest, TakesAnAcceptThatComesAfterItsAnnouncement) {
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(1), kStart);
  EXPECT_FALSE(learner_.Advance());
  Accept(1, B(5, 1));
  EXPECT_TRUE(learner_.Advance());
}

TEST_F(LearnerTest, AnnouncementsOfAnOlderBallotDoNotCountForANewOne) {
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(3), kStart);
  learner_.OnAnnounced(NodeId(2), Life(2), B(6, 2), Slot(0), kStart);
  Accept(1, B(6, 2));
  EXPECT_FALSE(learner_.Advance());
}

TEST_F(LearnerTest, EmitsOnlyWhatIsDurableHere) {
  Accept(1, B(5, 1));
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(1), kStart);
  learner_.Advance();
  const Output before = Drain();
  EXPECT_THAT(before.entries, IsEmpty());
  outbox_.OnDurable(before.records[0].ticket);
  EXPECT_THAT(Drain().entries, SizeIs(1));
}

TEST_F(LearnerTest, FetchesAGapOnlyAfterSomePatience) {
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(3), kStart);
  learner_.Advance();
  EXPECT_THAT(Sent<Fetch>(Drain()), IsEmpty());
  const Time later = learner_.NextDeadline();
  const Output out = Drain(later);
  ASSERT_THAT(Sent<Fetch>(out), SizeIs(1));
  EXPECT_EQ(Sent<Fetch>(out)[0].position.slot, Slot(1));
  EXPECT_EQ(Sent<Fetch>(out)[0].last_slot, Slot(3));
  EXPECT_THAT(Sent<Fetch>(Drain(later)), IsEmpty()) << "not again at once";
  EXPECT_THAT(Sent<Fetch>(Drain(later + 2 * options_.retransmit)), SizeIs(1));
}

TEST_F(LearnerTest, AGapThatClosesByItselfIsNotFetched) {
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(1), kStart);
  Accept(1, B(5, 1));
  learner_.Advance();
  Drain();
  EXPECT_EQ(learner_.NextDeadline(), kTimeNever);
}

TEST_F(LearnerTest, FetchedValuesReplaceOlderVotesAndBecomeDurable) {
  Accept(1, B(4, 2), "old");
  outbox_.OnDurable(Drain().records[0].ticket);
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(2), kStart);
  const Output asked = Drain(learner_.NextDeadline());
  ASSERT_THAT(Sent<Fetch>(asked), SizeIs(1));
  learner_.OnFetchAnswer(NodeId(1),
                         {.stream = Sent<Fetch>(asked)[0].stream,
                          .chosen_index = Slot(2),
                          .entries = {{Slot(1), Value("new", B(5, 1))}, {Slot(2), Value("next", B(5, 1))}}},
                         kStart, outbox_);
  learner_.Advance();
  EXPECT_EQ(learner_.chosen_index(), Slot(2));
  const Output out = Drain();
  ASSERT_THAT(out.records, SizeIs(1));
  // Two chosen values, and the chosen index behind them.
  EXPECT_THAT(out.records[0].records, SizeIs(3));
  EXPECT_TRUE(std::holds_alternative<ChosenIndexRecord>(out.records[0].records.back()));
  EXPECT_THAT(out.entries, IsEmpty());
  outbox_.OnDurable(out.records[0].ticket);
  const Output after = Drain();
  ASSERT_THAT(after.entries, SizeIs(2));
  EXPECT_EQ(after.entries[0].entry->proposer, B(5, 1));
}

TEST_F(LearnerTest, TheChosenIndexIsNotWrittenByItself) {
  Accept(1, B(5, 1));
  outbox_.OnDurable(Drain().records[0].ticket);
  learner_.OnAnnounced(NodeId(1), Life(1), B(5, 1), Slot(1), kStart);
  learner_.Advance();
  EXPECT_THAT(Drain().records, IsEmpty());
}

}  // namespace
}  // namespace decree::paxos
