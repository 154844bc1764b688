// A node that is told another value than the one it knows to be chosen gives no vote for it; if that proves that
// a rule was broken, it takes no further part.

#include "paxos/core/acceptor/value_conflict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/core/invariants.h"
#include "paxos/core/replica.h"
#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ValueConflictTest : public testing::Test {
 protected:
  static RecoveredState Fresh() {
    RecoveredState recovered;
    recovered.configuration = Voters(3);
    return recovered;
  }

  Output Take(uint32_t from, Message message) {
    Output out;
    now_ += Milliseconds(1);
    replica_.OnMessage(From(from, 3, std::move(message)), now_, out);
    for (;;) {
      CheckInvariants(replica_, now_);
      Output next;
      if (!out.records.empty() && out.records.back().ticket > durable_) {
        durable_ = out.records.back().ticket;
        replica_.OnDurable(durable_, now_, next);
      } else if (replica_.learner().emitted() > replica_.applied()) {
        replica_.OnApplied(replica_.learner().emitted(), now_, next);
      } else {
        return out;
      }
      std::move(next.messages.begin(), next.messages.end(), std::back_inserter(out.messages));
      std::move(next.records.begin(), next.records.end(), std::back_inserter(out.records));
      std::move(next.problems.begin(), next.problems.end(), std::back_inserter(out.problems));
    }
  }
  Output TakeAccept(Ballot ballot, const EntryPtr& value) {
    return Take(ballot.node.value(),
                Accept{.ballot = ballot, .chosen_index = {}, .entries = {{.slot = Slot(1), .entry = value}}});
  }
  // The leader of this ballot has the value chosen at slot 1.
  void HaveChosen(Ballot ballot, const EntryPtr& value) {
    TakeAccept(ballot, value);
    Take(ballot.node.value(), Heartbeat{.ballot = ballot, .probe = 1, .chosen_index = Slot(1)});
    ASSERT_EQ(replica_.chosen_index(), Slot(1));
  }

  Options options_;
  Time now_ = kStart;
  Ticket durable_;
  Replica replica_{options_, Self(3), Fresh(), Random(1), kStart};
  const EntryPtr x_ = Value("x", B(1, 1));
  const EntryPtr y_ = Value("y", B(2, 2));
};

TEST_F(ValueConflictTest, AHigherBallotThanTheOneItWasChosenUnderIsProof) {
  HaveChosen(B(3, 1), x_);
  const Output out = TakeAccept(B(4, 2), y_);
  EXPECT_THAT(Sent<Accepted>(out), IsEmpty());
  EXPECT_THAT(out.problems, ElementsAre(HasSubstr("n2 proposes another value")));
  ASSERT_TRUE(replica_.is_halted());
  EXPECT_FALSE(replica_.takes_part());
  EXPECT_THAT(replica_.Obstacles(), ElementsAre(HasSubstr("proposed under 4.2")));
  EXPECT_THAT(replica_.Obstacles(), ElementsAre(HasSubstr("chosen under 3.1")));
}

TEST_F(ValueConflictTest, WhoHasProofDoesNothingMore) {
  HaveChosen(B(3, 1), x_);
  TakeAccept(B(4, 2), y_);
  EXPECT_THAT(Take(2, Heartbeat{.ballot = B(5, 2), .probe = 9, .chosen_index = Slot(1)}).messages, IsEmpty());
  EXPECT_THAT(Take(2, Poll{.poll = 1, .ballot = B(6, 2), .chosen_index = Slot(9)}).messages, IsEmpty());
  EXPECT_THAT(Take(2, Prepare{.ballot = B(6, 2), .position = {Slot(1)}, .waived = {}}).messages, IsEmpty());
  EXPECT_EQ(replica_.NextDeadline(), kTimeNever);
  Output out;
  replica_.OnTick(now_ + Seconds(100), out);
  replica_.Read(ReadId(1), now_ + Seconds(100), out);
  EXPECT_THAT(out.messages, IsEmpty());
  EXPECT_THAT(out.refused_reads, SizeIs(1));
  EXPECT_EQ(replica_.Propose(ProposalId(1), "c", kTimeNever), ProposeResult::kNotLeader);
}

TEST_F(ValueConflictTest, AFetchedValueProvesNothing) {
  Take(1, Heartbeat{.ballot = B(1, 1), .probe = 1, .chosen_index = Slot(1)});
  now_ += options_.gap_patience;
  Output out;
  replica_.OnTick(now_, out);
  const std::vector<Fetch> fetches = Sent<Fetch>(out);
  ASSERT_THAT(fetches, SizeIs(1));
  FetchAnswer answer{.stream = fetches[0].stream, .fetch = fetches[0].number, .chosen_index = Slot(1)};
  answer.entries = {{.slot = Slot(1), .entry = x_}};
  Take(1, answer);
  ASSERT_EQ(replica_.chosen_index(), Slot(1));
  const Output late = TakeAccept(B(2, 2), y_);
  EXPECT_THAT(Sent<Accepted>(late), IsEmpty());
  EXPECT_THAT(late.problems, IsEmpty()) << "a healthy cluster";
  EXPECT_TRUE(replica_.takes_part());
}

// n1 has told what is chosen in slots 1 and 2, not under which ballots; n2 proposes other values there.
class RefusedValueTest : public ValueConflictTest {
 protected:
  RefusedValueTest() {
    Take(1, Heartbeat{.ballot = B(1, 1), .probe = 1, .chosen_index = Slot(2)});
    now_ += options_.gap_patience;
    Output out;
    replica_.OnTick(now_, out);
    const std::vector<Fetch> fetches = Sent<Fetch>(out);
    CHECK_EQ(fetches.size(), 1u);
    FetchAnswer answer{.stream = fetches[0].stream, .fetch = fetches[0].number, .chosen_index = Slot(2)};
    answer.entries = {{Slot(1), x_}, {Slot(2), x_}};
    Take(1, answer);
    CHECK_EQ(replica_.chosen_index(), Slot(2));
    Propose(2);
    EXPECT_TRUE(replica_.takes_part());
  }
  void Propose(uint64_t slot) { Take(2, Accept{.ballot = B(2, 2), .chosen_index = {}, .entries = {{Slot(slot), y_}}}); }
  Output Announce(Ballot ballot, uint64_t chosen_index) {
    return Take(ballot.node.value(), Heartbeat{.ballot = ballot, .probe = 1, .chosen_index = Slot(chosen_index)});
  }
};

TEST_F(RefusedValueTest, ItsLeadersAnnouncementIsProof) {
  Announce(B(2, 2), 1);
  EXPECT_TRUE(replica_.takes_part()) << "it has not had its way in slot 2";
  const Output out = Announce(B(2, 2), 2);
  EXPECT_THAT(out.problems, ElementsAre(HasSubstr("proposed under 2.2 and announced as chosen")));
  EXPECT_TRUE(replica_.is_halted());
  EXPECT_EQ(replica_.leader(), kNoNode);
}

TEST_F(RefusedValueTest, AnotherBallotsAnnouncementIsNone) {
  Announce(B(3, 2), 2);
  EXPECT_TRUE(replica_.takes_part()) << "that leader may have found the chosen value in its phase 1";
}

TEST_F(RefusedValueTest, OfSeveralTheLowestSlotCounts) {
  Propose(1);
  Announce(B(2, 2), 1);
  EXPECT_TRUE(replica_.is_halted());
}

TEST_F(RefusedValueTest, OfSeveralTheNewestBallotCounts) {
  Take(2, Accept{.ballot = B(4, 2), .chosen_index = {}, .entries = {{Slot(2), y_}}});
  Announce(B(4, 2), 2);
  EXPECT_TRUE(replica_.is_halted());
}

TEST_F(ValueConflictTest, AConfigurationThatNamesAnotherIncarnationHaltsAndKillsNot) {
  Configuration others = Voters(3);
  others.members[2].incarnation = Incarnation(9);
  HaveChosen(B(3, 1),
             std::make_shared<const Entry>(Entry{
                 .kind = EntryKind::kConfiguration, .proposer = B(3, 1), .log_time = {}, .payload = others.Encode()}));
  EXPECT_TRUE(replica_.is_halted());
  EXPECT_THAT(replica_.Obstacles(), ElementsAre(HasSubstr("another incarnation of n3")));
}

TEST_F(ValueConflictTest, OfTheSameBallotItIsNoProof) {
  HaveChosen(B(3, 1), x_);
  EXPECT_THAT(Sent<Accepted>(TakeAccept(B(3, 1), y_)), IsEmpty());
  EXPECT_TRUE(replica_.takes_part());
}

TEST_F(ValueConflictTest, TheSameValueGetsItsVote) {
  HaveChosen(B(3, 1), x_);
  EXPECT_THAT(Sent<Accepted>(TakeAccept(B(4, 2), x_)), SizeIs(1));
  EXPECT_TRUE(replica_.takes_part());
}

}  // namespace
}  // namespace decree::paxos
