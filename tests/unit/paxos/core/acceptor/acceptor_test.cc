#include "paxos/core/acceptor/acceptor.h"

#include "paxos/core/protocol/entry_assembly.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr Slot kNothingChosen{0};

class AcceptorTest : public testing::Test {
 protected:
  explicit AcceptorTest(RecoveredState recovered = {}, Time refuse_until = kStart)
      : acceptor_(options_, recovered, refuse_until) {}

  void Prepare(uint32_t from, Ballot ballot, Time now = kStart, Slot first = kFirstSlot) {
    acceptor_.OnPrepare(From(from, 9, paxos::Prepare{ballot, first}), {.ballot = ballot, .position = {first}},
                        chosen_index_, now, outbox_);
  }
  bool Accept(uint32_t from, Ballot ballot, uint64_t slot, EntryPtr value) {
    const paxos::Accept accept{.ballot = ballot, .chosen_index = {}, .entries = {{Slot(slot), std::move(value)}}};
    return acceptor_.OnAccept(From(from, 9, accept), accept, kNothingChosen, outbox_);
  }
  bool Heartbeat(uint32_t from, Ballot ballot, Time now = kStart) {
    const paxos::Heartbeat beat{.ballot = ballot, .probe = 1, .chosen_index = {}};
    return acceptor_.OnHeartbeat(From(from, 9, beat), beat, kNothingChosen, Milliseconds(400), now, outbox_);
  }
  // What leaves before anything is durable, and the records.
  Output Drain() {
    Output out;
    outbox_.Drain(kStart, out);
    return out;
  }
  // What leaves once everything is durable.
  Output DrainDurable() {
    Output at_once = Drain();
    outbox_.OnDurable(outbox_.last_ticket());
    Output out = Drain();
    out.messages.insert(out.messages.begin(), at_once.messages.begin(), at_once.messages.end());
    return out;
  }

  Options options_;
  Outbox outbox_{Self(9)};
  Slot chosen_index_;
  Acceptor acceptor_;
};

// Else a restart that finds no promise would take it that nothing was granted.
TEST_F(AcceptorTest, HoldsAGrantUntilThePromiseOfItsBallotIsDurable) {
  EXPECT_TRUE(Heartbeat(1, B(5, 1)));
  EXPECT_THAT(Drain().messages, IsEmpty());
  EXPECT_TRUE(Heartbeat(1, B(5, 1)));
  EXPECT_THAT(Drain().messages, IsEmpty());
  EXPECT_THAT(Sent<HeartbeatAck>(DrainDurable()), SizeIs(2));
  EXPECT_TRUE(Heartbeat(1, B(5, 1)));
  EXPECT_THAT(Sent<HeartbeatAck>(Drain()), SizeIs(1));
}

TEST_F(AcceptorTest, HoldsAPromiseUntilItsRecordIsDurable) {
  Prepare(1, B(5, 1));
  const Output before = Drain();
  EXPECT_THAT(before.messages, IsEmpty());
  ASSERT_THAT(before.records, SizeIs(1));
  EXPECT_EQ(std::get<PromisedRecord>(before.records[0].records[0]).ballot, B(5, 1));
  outbox_.OnDurable(before.records[0].ticket);
  EXPECT_THAT(Sent<Promise>(Drain()), SizeIs(1));
}

TEST_F(AcceptorTest, RefusesPrepareBelowPromise) {
  Prepare(2, B(5, 2));
  DrainDurable();
  Prepare(1, B(5, 1));
  const Output out = Drain();
  ASSERT_THAT(Sent<Nack>(out), SizeIs(1));
  EXPECT_EQ(Sent<Nack>(out)[0].promised, B(5, 2));
  EXPECT_THAT(Sent<Promise>(out), IsEmpty());
  EXPECT_EQ(acceptor_.promised(), B(5, 2));
}

TEST_F(AcceptorTest, AnswersARepeatedPrepareWithoutAnotherRecord) {
  Prepare(1, B(5, 1));
  DrainDurable();
  Prepare(1, B(5, 1));
  const Output out = Drain();
  EXPECT_THAT(out.records, IsEmpty());
  EXPECT_THAT(Sent<Promise>(out), SizeIs(1));
}

TEST_F(AcceptorTest, IgnoresABallotThatIsNotTheSenders) {
  Prepare(1, B(5, 2));
  EXPECT_FALSE(Accept(1, B(5, 2), 1, Value("x", B(5, 2))));
  EXPECT_THAT(Drain().records, IsEmpty());
  EXPECT_TRUE(acceptor_.promised().IsNone());
}

TEST_F(AcceptorTest, HoldsAVoteUntilItsRecordIsDurable) {
  EXPECT_TRUE(Accept(1, B(5, 1), 1, Value("x", B(5, 1))));
  const Output before = Drain();
  EXPECT_THAT(before.messages, IsEmpty());
  ASSERT_THAT(before.records, SizeIs(1));
  // One record carries both the vote and the promise that it raises.
  ASSERT_THAT(before.records[0].records, SizeIs(1));
  EXPECT_EQ(std::get<AcceptedRecord>(before.records[0].records[0]).slot, Slot(1));
  outbox_.OnDurable(before.records[0].ticket);
  const Output after = Drain();
  ASSERT_THAT(Sent<Accepted>(after), SizeIs(1));
  EXPECT_THAT(Sent<Accepted>(after)[0].slots, testing::ElementsAre(Slot(1)));
}

TEST_F(AcceptorTest, RefusesAcceptBelowPromise) {
  Prepare(2, B(6, 2));
  DrainDurable();
  EXPECT_FALSE(Accept(1, B(5, 1), 1, Value("x", B(5, 1))));
  const Output out = Drain();
  EXPECT_THAT(out.records, IsEmpty());
  EXPECT_THAT(Sent<Nack>(out), SizeIs(1));
}

TEST_F(AcceptorTest, RepeatedAcceptWaitsForTheFirstRecord) {
  Accept(1, B(5, 1), 1, Value("x", B(5, 1)));
  const Output first = Drain();
  Accept(1, B(5, 1), 1, Value("x", B(5, 1)));
  const Output second = Drain();
  EXPECT_THAT(second.records, IsEmpty());
  EXPECT_THAT(second.messages, IsEmpty());
  outbox_.OnDurable(first.records[0].ticket);
  EXPECT_THAT(Sent<Accepted>(Drain()), SizeIs(2));
}

TEST_F(AcceptorTest, NamesWhatItHasAcceptedOfWhatItIsAsked) {
  Accept(1, B(5, 1), 1, Value("a", B(5, 1)));
  Accept(1, B(5, 1), 3, Value("c", B(5, 1)));
  DrainDurable();
  Accept(1, B(5, 1), 4, Value("d", B(5, 1)));
  Drain();
  const auto ask = [&](uint32_t from, Ballot ballot, std::vector<Slot> slots) {
    const paxos::Accept question{
        .ballot = ballot, .chosen_index = {}, .entries = {}, .asked = std::move(slots), .inquiry = 7};
    acceptor_.OnAccept(From(from, 9, question), question, kNothingChosen, outbox_);
  };
  ask(1, B(5, 1), {Slot(1), Slot(2), Slot(3)});
  auto answers = Sent<Accepted>(Drain());
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].slots, (std::vector{Slot(1), Slot(3)}));
  EXPECT_EQ(answers[0].inquiry, 7u);

  ask(1, B(5, 1), {Slot(4)});
  EXPECT_THAT(Sent<Accepted>(Drain()), IsEmpty()) << "the vote is not durable";
  answers = Sent<Accepted>(DrainDurable());
  ASSERT_THAT(answers, SizeIs(2)) << "of the Accept, and of the question";
  EXPECT_EQ(answers[1].slots, (std::vector{Slot(4)}));

  // A vote under another ballot may be for another value.
  ask(2, B(6, 2), {Slot(1), Slot(9)});
  answers = Sent<Accepted>(DrainDurable());
  ASSERT_THAT(answers, SizeIs(1)) << "it lacks them all, and says so";
  EXPECT_THAT(answers[0].slots, IsEmpty());
  EXPECT_EQ(answers[0].inquiry, 7u);
}

TEST_F(AcceptorTest, TakesNoSecondValueInOneBallot) {
  Accept(1, B(5, 1), 1, Value("x", B(5, 1)));
  DrainDurable();
  Accept(1, B(5, 1), 1, Value("other", B(4, 1)));
  const Output out = Drain();
  EXPECT_THAT(out.records, IsEmpty());
  EXPECT_THAT(Sent<Accepted>(out), IsEmpty());
  EXPECT_EQ(acceptor_.VoteAt(Slot(1))->entry->proposer, B(5, 1));
}

TEST_F(AcceptorTest, ReportsTheBallotOfTheVoteAndNotThePromise) {
  Accept(1, B(5, 1), 1, Value("x", B(5, 1)));
  Prepare(2, B(9, 2));
  const Output out = DrainDurable();
  ASSERT_THAT(Sent<Promise>(out), SizeIs(1));
  ASSERT_THAT(Sent<Promise>(out)[0].votes, SizeIs(1));
  EXPECT_EQ(Sent<Promise>(out)[0].votes[0].ballot, B(5, 1));
}

TEST_F(AcceptorTest, PagesALongPromise) {
  options_.page_bytes_max = 1;
  Acceptor acceptor(options_, RecoveredState{}, kStart);
  for (uint64_t slot = 1; slot <= 3; ++slot) {
    const paxos::Accept accept{.ballot = B(5, 1), .chosen_index = {}, .entries = {{Slot(slot), Value("x", B(5, 1))}}};
    acceptor.OnAccept(From(1, 9, accept), accept, kNothingChosen, outbox_);
  }
  const paxos::Prepare prepare{.ballot = B(6, 2), .position = {Slot(2)}};
  acceptor.OnPrepare(From(2, 9, prepare), prepare, kNothingChosen, kStart, outbox_);
  const Output out = DrainDurable();
  ASSERT_THAT(Sent<Promise>(out), SizeIs(1));
  EXPECT_THAT(Sent<Promise>(out)[0].votes, SizeIs(1));
  EXPECT_EQ(Sent<Promise>(out)[0].votes[0].slot, Slot(2));
  EXPECT_EQ(Sent<Promise>(out)[0].last_slot, Slot(2));
}

// A link that is slow takes longer for a large vote than a candidate waits for a sign of life.
TEST_F(AcceptorTest, ReportsAVoteThatIsLargerThanAPageInParts) {
  options_.fetch_piece_bytes = 100;
  Acceptor acceptor(options_, RecoveredState{}, kStart);
  const EntryPtr large = Value(std::string(250, 'v'), B(5, 1));
  const uint64_t size = large->payload.size();
  const paxos::Accept accept{
      .ballot = B(5, 1), .chosen_index = {}, .entries = {{Slot(1), Value("x", B(5, 1))}, {Slot(2), large}}};
  acceptor.OnAccept(From(1, 9, accept), accept, kNothingChosen, outbox_);
  DrainDurable();
  const auto page = [&](LogPosition position, uint64_t page_bytes) {
    const paxos::Prepare prepare{.ballot = B(6, 2), .position = position, .page_bytes = page_bytes};
    acceptor.OnPrepare(From(2, 9, prepare), prepare, kNothingChosen, kStart, outbox_);
    return Sent<Promise>(DrainDurable()).at(0);
  };
  const Promise whole = page({Slot(1)}, 1);
  EXPECT_THAT(whole.votes, SizeIs(1));
  EXPECT_EQ(EndOf(whole), LogPosition{Slot(2)});
  EntryAssembly assembly;
  LogPosition position{Slot(2)};
  for (const uint64_t bytes : {100, 100, 54}) {
    const Promise part = page(position, 1);
    ASSERT_TRUE(part.part.has_value());
    EXPECT_EQ(part.part->ballot, B(5, 1));
    EXPECT_EQ(part.part->entry.piece->payload.size(), bytes);
    EXPECT_TRUE(assembly.Append(part.part->entry));
    position = EndOf(part);
  }
  EXPECT_EQ(*assembly.TakeWhole(), *large);
  EXPECT_EQ(position, LogPosition{Slot(3)});
  EXPECT_EQ(page(position, 1).last_slot, Slot::Max());

  EXPECT_EQ(page({Slot(2)}, 150).part->entry.piece->payload.size(), 150u) << "as much as is asked for";
  EXPECT_THAT(page({Slot(2)}, 1000).votes, SizeIs(1));
  // Another value stood there when it was asked for.
  EXPECT_THAT(page({Slot(1), 77}, 1).votes, SizeIs(1));
  EXPECT_EQ(page({Slot(2), size}, 1).part->entry.first_byte, 0u);
}

TEST_F(AcceptorTest, GrantedLeaseForbidsAPromiseToAnother) {
  EXPECT_TRUE(Heartbeat(1, B(5, 1)));
  Prepare(2, B(6, 2), kStart + Milliseconds(399));
  EXPECT_EQ(acceptor_.promised(), B(5, 1));
  Prepare(2, B(6, 2), kStart + Milliseconds(400));
  EXPECT_EQ(acceptor_.promised(), B(6, 2));
}

TEST_F(AcceptorTest, GrantedLeaseDoesNotBindTheHolder) {
  Heartbeat(1, B(5, 1));
  Prepare(1, B(6, 1), kStart + Milliseconds(1));
  EXPECT_EQ(acceptor_.promised(), B(6, 1));
}

TEST_F(AcceptorTest, WaiverEndsALease) {
  Heartbeat(1, B(5, 1));
  acceptor_.OnWaiver(NodeId(2), {.ballot = B(5, 1)});
  EXPECT_GT(acceptor_.LeaseLeftAgainst(NodeId(2), kStart), Duration::zero());
  acceptor_.OnWaiver(NodeId(1), {.ballot = B(5, 1)});
  EXPECT_EQ(acceptor_.LeaseLeftAgainst(NodeId(2), kStart), Duration::zero());
}

TEST_F(AcceptorTest, OlderWaiverDoesNotEndALaterLease) {
  Heartbeat(1, B(7, 1));
  acceptor_.OnWaiver(NodeId(1), {.ballot = B(5, 1)});
  EXPECT_GT(acceptor_.LeaseLeftAgainst(NodeId(2), kStart), Duration::zero());
}

TEST_F(AcceptorTest, DelayedProbeOfAnOlderLeaderGetsNoGrant) {
  Heartbeat(2, B(6, 2));
  EXPECT_FALSE(Heartbeat(1, B(5, 1)));
  EXPECT_EQ(acceptor_.LeaseLeftAgainst(NodeId(2), kStart), Duration::zero());
  EXPECT_GT(acceptor_.LeaseLeftAgainst(NodeId(1), kStart), Duration::zero());
}

TEST_F(AcceptorTest, OtherValueForAChosenSlotGetsNoVote) {
  acceptor_.AdoptChosen(Slot(1), Value("chosen", B(7, 2)), NodeId(2), outbox_);
  EXPECT_TRUE(Accept(1, B(5, 1), 1, Value("superseded", B(5, 1))));
  EXPECT_THAT(Sent<Accepted>(DrainDurable()), IsEmpty());
  EXPECT_EQ(acceptor_.VoteAt(Slot(1))->entry->proposer, B(7, 2));
}

TEST_F(AcceptorTest, ASecondChosenValueIsRefusedAndReported) {
  const NodeId from(1);
  EXPECT_TRUE(acceptor_.AdoptChosen(Slot(1), Value("one", B(5, 1)), from, outbox_));
  EXPECT_FALSE(acceptor_.AdoptChosen(Slot(1), Value("two", B(6, 2)), from, outbox_));
  EXPECT_EQ(acceptor_.VoteAt(Slot(1))->entry->proposer, B(5, 1));
  const std::optional<ValueConflict> conflict = acceptor_.TakeConflict();
  ASSERT_TRUE(conflict.has_value());
  EXPECT_FALSE(conflict->IsProof());
  EXPECT_EQ(conflict->from, from);
}

TEST_F(AcceptorTest, RefusesAMalformedConfiguration) {
  auto entry = std::make_shared<const Entry>(
      Entry{.kind = EntryKind::kConfiguration, .proposer = B(5, 1), .log_time = {}, .payload = "nonsense"});
  Accept(1, B(5, 1), 1, entry);
  EXPECT_THAT(Sent<Accepted>(DrainDurable()), IsEmpty());
  EXPECT_EQ(acceptor_.VoteAt(Slot(1)), nullptr);
}

TEST_F(AcceptorTest, DropsVotesFarBeyondTheChosenIndex) {
  Accept(1, B(5, 1), options_.window_slots_max + 1, Value("far", B(5, 1)));
  EXPECT_THAT(Sent<Accepted>(DrainDurable()), IsEmpty());
}

class RestartedAcceptorTest : public AcceptorTest {
 protected:
  RestartedAcceptorTest()
      : AcceptorTest({.promised = B(5, 1),
                      .chosen_index = Slot(3),
                      .dropped_index = Slot(3),
                      .applied = Slot(3),
                      .votes = {{.slot = Slot(4), .ballot = B(5, 1), .chosen = false, .entry = Value("x", B(5, 1))}},
                      .configuration = {},
                      .log_time = {}},
                     kStart + Milliseconds(400)) {
    chosen_index_ = Slot(3);
  }
};

TEST_F(RestartedAcceptorTest, KeepsPromiseAndVotes) {
  EXPECT_EQ(acceptor_.promised(), B(5, 1));
  EXPECT_EQ(acceptor_.VoteAt(Slot(4))->ballot, B(5, 1));
  EXPECT_EQ(acceptor_.dropped_index(), Slot(3));
}

TEST_F(RestartedAcceptorTest, RefusesPromisesForTheLongestLease) {
  Prepare(1, B(6, 1), kStart + Milliseconds(399), Slot(4));
  EXPECT_EQ(acceptor_.promised(), B(5, 1));
  Prepare(1, B(6, 1), kStart + Milliseconds(400), Slot(4));
  EXPECT_EQ(acceptor_.promised(), B(6, 1));
}

TEST_F(RestartedAcceptorTest, ReportsItsChosenIndexInsteadOfVotesBelowIt) {
  for (const uint64_t chosen : {3, 4}) {
    const paxos::Prepare prepare{.ballot = B(6, 2), .position = {Slot(1)}};
    acceptor_.OnPrepare(From(2, 9, prepare), prepare, Slot(chosen), kStart + Seconds(1), outbox_);
    const Output out = DrainDurable();
    ASSERT_THAT(Sent<Promise>(out), SizeIs(1));
    EXPECT_EQ(Sent<Promise>(out)[0].chosen_index, Slot(chosen));
    EXPECT_THAT(Sent<Promise>(out)[0].votes, SizeIs(chosen == 3 ? 1 : 0));
  }
}

TEST_F(RestartedAcceptorTest, VotesAgainForWhatIsChosenWithoutARecord) {
  // A new leader whose phase 1 quorum knew less proposes slots 2 and 4 again; 4 is chosen here by now.
  for (const uint64_t slot : {2, 4}) {
    const paxos::Accept accept{
        .ballot = B(5, 1), .chosen_index = Slot(1), .entries = {{Slot(slot), Value("x", B(5, 1))}}};
    EXPECT_TRUE(acceptor_.OnAccept(From(1, 9, accept), accept, Slot(4), outbox_));
  }
  Output out;
  outbox_.Drain(kStart, out);
  EXPECT_THAT(out.records, IsEmpty());
  EXPECT_THAT(Sent<Accepted>(out), SizeIs(2));
  EXPECT_EQ(acceptor_.VoteAt(Slot(4))->entry->proposer, Value("x", B(5, 1))->proposer);
}

TEST_F(AcceptorTest, TellsANewPromiseOrPageFromARepetition) {
  options_.page_bytes_max = 1;
  Acceptor acceptor(options_, RecoveredState{}, kStart);
  const auto is_new = [&](uint32_t node, Ballot ballot, uint64_t first_slot) {
    const paxos::Prepare prepare{.ballot = ballot, .position = {Slot(first_slot)}};
    return acceptor.OnPrepare(From(node, 9, prepare), prepare, kNothingChosen, kStart, outbox_);
  };
  const paxos::Accept accept{.ballot = B(4, 1),
                             .chosen_index = {},
                             .entries = {{Slot(1), Value("x", B(4, 1))}, {Slot(7), Value("x", B(4, 1))}}};
  acceptor.OnAccept(From(1, 9, accept), accept, kNothingChosen, outbox_);
  EXPECT_TRUE(is_new(1, B(5, 1), 1));
  EXPECT_FALSE(is_new(1, B(5, 1), 1));
  EXPECT_FALSE(is_new(1, B(5, 1), 6)) << "it covered that as well";
  EXPECT_TRUE(is_new(1, B(5, 1), 7)) << "the next page";
  EXPECT_FALSE(is_new(1, B(5, 1), 7));
  EXPECT_FALSE(is_new(1, B(5, 1), 9)) << "there is none behind the last";
  EXPECT_FALSE(is_new(1, B(5, 1), 1'000'000));
  EXPECT_FALSE(is_new(1, B(5, 1), 1));
  EXPECT_FALSE(is_new(2, B(4, 2), 9)) << "refused";
  EXPECT_TRUE(is_new(2, B(6, 2), 1));
}

}  // namespace
}  // namespace decree::paxos
