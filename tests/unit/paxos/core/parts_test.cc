// The small parts of the core that need no cluster: messages, outbox, command queue, reads, entries,
// options.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/core/command_queue.h"
#include "paxos/core/election.h"
#include "paxos/core/options.h"
#include "paxos/core/read_index.h"
#include "paxos/core/slot_window.h"
#include "tests/unit/paxos/core/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// ---- Messages ----

TEST(SplitByEntryTest, WhatIsAskedGoesWithTheLastEntry) {
  const EntryPtr value = Value("v", B(3, 1));
  const Accept whole{.ballot = B(4, 1),
                     .chosen_index = Slot(2),
                     .entries = {{Slot(3), value}, {Slot(5), value}},
                     .asked = {Slot(4)},
                     .inquiry = 7};
  const std::vector<Accept> parts = SplitByEntry(whole);
  ASSERT_THAT(parts, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(parts[i].ballot, B(4, 1));
    EXPECT_EQ(parts[i].chosen_index, Slot(2));
    ASSERT_THAT(parts[i].entries, SizeIs(1));
    EXPECT_EQ(parts[i].entries[0].slot, whole.entries[i].slot);
    EXPECT_EQ(parts[i].entries[0].entry, value);
  }
  EXPECT_THAT(parts[0].asked, IsEmpty());
  EXPECT_EQ(parts[0].inquiry, 0u);
  EXPECT_EQ(parts[1].asked, whole.asked);
  EXPECT_EQ(parts[1].inquiry, 7u);
}

// ---- Outbox ----

TEST(OutboxTest, ReleasesMessagesInTheOrderOfTheirTickets) {
  Outbox outbox(Self(1));
  Output first;
  const Ticket one = outbox.Persist(PromisedRecord{B(1, 1)});
  outbox.SendAfter(one, NodeId(2), Life(), StandNow{B(1, 1)});
  outbox.Drain(kStart, first);
  const Ticket two = outbox.Persist(PromisedRecord{B(2, 1)});
  outbox.SendAfter(two, NodeId(2), Life(), StandNow{B(2, 1)});
  Output second;
  outbox.Drain(kStart, second);
  EXPECT_THAT(first.messages, IsEmpty());
  EXPECT_THAT(second.messages, IsEmpty());
  EXPECT_LT(one, two);

  Output after_one;
  outbox.OnDurable(one);
  outbox.Drain(kStart, after_one);
  EXPECT_THAT(Sent<StandNow>(after_one), SizeIs(1));
  EXPECT_EQ(Sent<StandNow>(after_one)[0].ballot, B(1, 1));
}

TEST(OutboxTest, MessagesToItselfComeBackOnlyWhenTheyWouldHaveLeft) {
  Outbox outbox(Self(1));
  const Ticket ticket = outbox.Persist(PromisedRecord{B(1, 1)});
  outbox.SendAfter(ticket, NodeId(1), Life(), StandNow{B(1, 1)});
  EXPECT_FALSE(outbox.TakeLoopback().has_value());
  Output out;
  outbox.Drain(kStart, out);
  outbox.OnDurable(ticket);
  EXPECT_TRUE(outbox.TakeLoopback().has_value());
  EXPECT_FALSE(outbox.TakeLoopback().has_value());
}

TEST(OutboxTest, KnowsHowLongTheDiskHasBeenAtIt) {
  Outbox outbox(Self(1));
  EXPECT_FALSE(outbox.OldestPending().has_value());
  Output out;
  const Ticket ticket = outbox.Persist(PromisedRecord{B(1, 1)});
  outbox.Drain(kStart, out);
  outbox.Persist(PromisedRecord{B(2, 1)});
  outbox.Drain(kStart + Seconds(1), out);
  EXPECT_EQ(outbox.OldestPending(), kStart);
  outbox.OnDurable(ticket);
  EXPECT_EQ(outbox.OldestPending(), kStart + Seconds(1));
}

// ---- CommandQueue ----

TEST(CommandQueueTest, ABatchHoldsWhatFits) {
  CommandQueue queue;
  for (uint64_t i = 1; i <= 4; ++i) queue.Push(ProposalId(i), std::string(10, 'x'), kTimeNever);
  std::string payload;
  std::vector<DroppedProposal> dropped;
  EXPECT_THAT(queue.TakeBatch(30, kStart, payload, dropped),
              ElementsAre(ProposalId(1), ProposalId(2)));
  payload.clear();
  EXPECT_THAT(queue.TakeBatch(1, kStart, payload, dropped), ElementsAre(ProposalId(3)))
      << "at least one";
}

TEST(CommandQueueTest, DropsWhatHasExpired) {
  CommandQueue queue;
  queue.Push(ProposalId(1), "late", kStart);
  queue.Push(ProposalId(2), "alive", kStart + Seconds(1));
  std::string payload;
  std::vector<DroppedProposal> dropped;
  EXPECT_THAT(queue.TakeBatch(100, kStart, payload, dropped), ElementsAre(ProposalId(2)));
  ASSERT_THAT(dropped, SizeIs(1));
  EXPECT_EQ(dropped[0].reason, DroppedProposal::Reason::kDeadline);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

// ---- Reads ----

TEST(UnconfirmedReadsTest, AProbeConfirmsOnlyReadsThatCameBeforeIt) {
  UnconfirmedReads reads;
  reads.Add(ReadId(1), Slot(5), 3);
  reads.Add(ReadId(2), Slot(6), 4);
  EXPECT_THAT(reads.Take(2), IsEmpty());
  EXPECT_THAT(reads.Take(3), SizeIs(1));
  EXPECT_EQ(reads.last_probe(), 4u);
  EXPECT_THAT(reads.Take(9), SizeIs(1));
}

TEST(AskedReadsTest, ReadsThatComeDuringARoundWaitForTheNext) {
  AskedReads reads;
  reads.Add(ReadId(1));
  const auto first = reads.BeginRound(NodeId(2), kStart);
  ASSERT_TRUE(first.has_value());
  reads.Add(ReadId(2));
  EXPECT_FALSE(reads.BeginRound(NodeId(2), kStart).has_value());
  EXPECT_THAT(reads.EndRound({.request = first->request, .served = true, .index = {}, .ballot = {}}),
              ElementsAre(ReadId(1)));
  const auto second = reads.BeginRound(NodeId(2), kStart);
  ASSERT_TRUE(second.has_value());
  EXPECT_THAT(reads.EndRound({.request = first->request, .served = true, .index = {}, .ballot = {}}),
              IsEmpty())
      << "an answer to an earlier round";
}

// ---- Election ----

TEST(ElectionTest, APollNeedsAQuorumOfDistinctVoters) {
  Election election(Options(), Random(1), kStart);
  const Poll poll = election.StartPoll(B(1, 1), kNoSlot);
  PollAnswer yes{.poll = poll.poll, .granted = true, .promised = {}, .trim_point = {},
                 .chosen_index = {}};
  EXPECT_FALSE(election.OnAnswer(NodeId(1), yes, Voters(3)));
  EXPECT_FALSE(election.OnAnswer(NodeId(1), yes, Voters(3)));
  EXPECT_FALSE(election.OnAnswer(NodeId(9), yes, Voters(3))) << "no voter";
  PollAnswer stale = yes;
  --stale.poll;
  EXPECT_FALSE(election.OnAnswer(NodeId(2), stale, Voters(3)));
  EXPECT_TRUE(election.OnAnswer(NodeId(2), yes, Voters(3)));
  EXPECT_FALSE(election.OnAnswer(NodeId(3), yes, Voters(3))) << "once";
}

TEST(ElectionTest, AHeardLeaderPostponesIt) {
  const Options options;
  Election election(options, Random(1), kStart);
  const Time later = kStart + Seconds(5);
  election.OnLeaderHeard(later);
  EXPECT_GE(election.deadline(), later + options.election_timeout_min);
  EXPECT_LE(election.deadline(), later + options.election_timeout_max);
  EXPECT_TRUE(election.IsTaken(later));
  EXPECT_FALSE(election.IsTaken(later + options.election_timeout_min));
}

TEST(ElectionTest, APromiseGivenCountsAsALeaderForAWhile) {
  const Options options;
  Election election(options, Random(1), kStart);
  EXPECT_FALSE(election.IsTaken(kStart));
  election.OnPromiseGiven(kStart);
  EXPECT_TRUE(election.IsTaken(kStart + options.election_timeout_min - Milliseconds(1)));
  EXPECT_FALSE(election.IsTaken(kStart + options.election_timeout_min));
  EXPECT_GE(election.deadline(), kStart + options.election_timeout_min) << "nor does it stand itself";
}

TEST(ElectionTest, WaitsLongerAfterEachFailure) {
  const Options options;
  Duration longest = Duration::zero();
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Election election(options, Random(seed), kStart);
    for (int failure = 0; failure < 10; ++failure) election.OnGaveUp(kStart);
    EXPECT_GE(election.deadline() - kStart, options.election_timeout_min);
    EXPECT_LE(election.deadline() - kStart, options.election_timeout_max * 2) << "it is bounded";
    longest = std::max(longest, election.deadline() - kStart);
    election.OnLeaderHeard(kStart);
    election.OnGaveUp(kStart);
    EXPECT_LE(election.deadline() - kStart, options.election_timeout_max);
  }
  EXPECT_GT(longest, options.election_timeout_max);
}

// ---- Entries ----

TEST(EntryTest, CommandsComeBackInOrder) {
  std::string payload;
  AppendCommand(payload, "one");
  AppendCommand(payload, "");
  AppendCommand(payload, std::string("\0\xff", 2));
  const auto commands = SplitCommands(payload);
  ASSERT_TRUE(commands.has_value());
  EXPECT_THAT(*commands, ElementsAre("one", "", std::string("\0\xff", 2)));
}

TEST(EntryTest, AMalformedPayloadIsRefused) {
  std::string payload;
  AppendCommand(payload, "one");
  for (size_t cut = 1; cut < payload.size(); ++cut) {
    EXPECT_FALSE(SplitCommands(std::string_view(payload).substr(0, cut)).has_value());
  }
}

// ---- Configuration ----

TEST(ConfigurationTest, SurvivesEncoding) {
  Configuration configuration = Voters(5);
  configuration.drift_ppm = 123;
  const auto decoded = Configuration::Decode(configuration.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, configuration);
}

TEST(ConfigurationTest, RefusesDamagedBytes) {
  const std::string bytes = Voters(3).Encode();
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(Configuration::Decode(std::string_view(bytes).substr(0, cut)).ok());
  }
  EXPECT_FALSE(Configuration::Decode(bytes + "x").ok());
  std::string newer = bytes;
  newer[0] = 9;
  EXPECT_FALSE(Configuration::Decode(newer).ok());
}

TEST(ConfigurationTest, QuorumsMustMeet) {
  for (uint32_t n = 1; n <= 7; ++n) {
    for (uint32_t q1 = 0; q1 <= n + 1; ++q1) {
      for (uint32_t q2 = 0; q2 <= n + 1; ++q2) {
        Configuration configuration = Voters(n);
        configuration.q1 = q1;
        configuration.q2 = q2;
        const bool legal = q1 >= 1 && q2 >= 1 && q1 <= n && q2 <= n && q1 + q2 > n;
        EXPECT_EQ(configuration.Validate().ok(), legal) << n << ' ' << q1 << ' ' << q2;
      }
    }
  }
}

TEST(ConfigurationTest, NamesWhatIsWrong) {
  Configuration configuration = Voters(3);
  configuration.members[1].id = NodeId(1);
  EXPECT_THAT(std::string(configuration.Validate().message()), HasSubstr("repeated"));
  configuration = Voters(3);
  configuration.lease = Seconds(61);
  EXPECT_THAT(std::string(configuration.Validate().message()), HasSubstr("61000 ms"));
}

// ---- Options ----

TEST(OptionsTest, DefaultsAreValid) {
  EXPECT_TRUE(Options().Validate().ok());
  EXPECT_TRUE(Options().ValidateWith(Voters(3)).ok());
}

TEST(OptionsTest, NamesTheValueAndTheLimit) {
  Options options;
  options.election_timeout_max = Milliseconds(100);
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("100 ms"));
  options = Options();
  options.heartbeat = Milliseconds(300);
  EXPECT_FALSE(options.Validate().ok());
  options = Options();
  Configuration configuration = Voters(3);
  configuration.lease = Milliseconds(600);
  EXPECT_THAT(std::string(options.ValidateWith(configuration).message()), HasSubstr("600 ms"));
  configuration.lease = Milliseconds(90);
  EXPECT_FALSE(options.ValidateWith(configuration).ok()) << "would lapse between heartbeats";
}

// ---- SlotWindow ----

TEST(SlotWindowTest, GrowsAtItsEndAndDropsFromItsBeginning) {
  SlotWindow<int> window(Slot(5));
  EXPECT_EQ(window.Find(Slot(5)), nullptr);
  window.At(Slot(7)) = 70;
  EXPECT_EQ(*window.Find(Slot(5)), 0);
  EXPECT_EQ(window.end(), Slot(8));
  window.DropFirst();
  EXPECT_EQ(window.first(), Slot(6));
  EXPECT_EQ(window.Find(Slot(5)), nullptr);
  EXPECT_EQ(*window.Find(Slot(7)), 70);
  EXPECT_DEATH(window.At(Slot(5)), "Check failed");
}

}  // namespace
}  // namespace decree::paxos
