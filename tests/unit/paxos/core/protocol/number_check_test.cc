#include "paxos/core/protocol/number_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/replica_cluster.h"

namespace decree::paxos {
namespace {

using check::ReplicaCluster;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kFar = uint64_t{1} << 62;

// Two honest nodes, and n3, which is down and in whose name others speak.
class NumberCheckTest : public testing::Test {
 protected:
  NumberCheckTest() { cluster_.Crash(3); }

  void ExpectRefused(const Message& message) {
    SCOPED_TRACE(MessageName(message));
    for (const uint32_t node : {1, 2}) {
      const Ballot promised = cluster_.replica(node).promised();
      const Output out = cluster_.Inject(node, From(3, node, message));
      EXPECT_THAT(out.problems, ElementsAre(HasSubstr("n3 sends what no member may")));
      EXPECT_THAT(out.messages, IsEmpty());
      EXPECT_THAT(out.records, IsEmpty());
      EXPECT_EQ(cluster_.replica(node).promised(), promised);
    }
  }

  ReplicaCluster cluster_{3};
};

TEST_F(NumberCheckTest, NoMessageUsesUpTheRounds) {
  for (int i = 0; i < 3; ++i) {
    for (const uint64_t round : {kFar, kRoundStepMax + 1000}) {
      const Ballot far = B(round, 3);
      ExpectRefused(Poll{.poll = 1, .ballot = far, .chosen_index = {}});
      ExpectRefused(PollAnswer{.poll = 1, .granted = false, .promised = far, .trim_point = {}, .chosen_index = {}});
      ExpectRefused(Prepare{.ballot = far, .position = {Slot(1)}, .waived = {}});
      ExpectRefused(Accept{.ballot = far, .chosen_index = {}, .entries = {}});
      ExpectRefused(Heartbeat{.ballot = far, .probe = 1, .chosen_index = {}});
      ExpectRefused(Nack{.ballot = cluster_.replica(1).ballot(), .promised = far});
    }
    // Each time somebody else must be able to lead.
    const uint32_t leader = cluster_.ElectAny();
    ASSERT_NE(leader, 0u);
    EXPECT_LT(cluster_.replica(leader).ballot().round, 1000u);
    cluster_.Transfer(leader, NodeId(3 - leader));
    cluster_.Pass(Seconds(2));
  }
}

TEST_F(NumberCheckTest, HonestNodesThatWereDrivenApartComeTogether) {
  for (uint64_t step = 1; step <= 5; ++step) {
    cluster_.Inject(2, From(3, 2, Poll{.poll = step, .ballot = B(step * kRoundStepMax, 3), .chosen_index = {}}));
  }
  cluster_.passes = [](const Envelope&) { return false; };
  cluster_.Inject(2, From(3, 2, Heartbeat{.ballot = B(5 * kRoundStepMax, 3), .probe = 1, .chosen_index = {}}));
  cluster_.LoseNothing();
  EXPECT_GE(cluster_.replica(2).promised().round, 5 * kRoundStepMax);
  EXPECT_NE(cluster_.ElectAny(Seconds(60)), 0u);
}

TEST_F(NumberCheckTest, APromiseNamesNoSlotThatNobodyCanHaveVotedFor) {
  const Slot beyond = Slot(Options().window_slots_max + 10);
  Promise page{.ballot = B(1, 1),
               .position = {Slot(1)},
               .last_slot = Slot::Max(),
               .trim_point = {},
               .chosen_index = Slot(9),
               .votes = {}};
  page.votes = {{.slot = beyond, .ballot = B(1, 1), .entry = Value("x", B(1, 1))}};
  const KnownNumbers known{.round = 1, .window_slots = Options().window_slots_max};
  EXPECT_THAT(std::string(CheckNumbers(page, known).message()), HasSubstr("beyond the window"));
  page.chosen_index = Slot(10);
  EXPECT_TRUE(CheckNumbers(page, known).ok());
  page.votes[0].ballot = B(2, 1);
  EXPECT_THAT(std::string(CheckNumbers(page, known).message()), HasSubstr("higher ballot"));
  page.votes.clear();
  page.last_slot = Slot(11);
  EXPECT_THAT(std::string(CheckNumbers(page, known).message()), HasSubstr("not the last page"));

  const EntryPart part{.slot = Slot(11), .piece = Value("x", B(1, 1)), .first_byte = 0, .payload_bytes = 9000};
  page.part = {.ballot = B(1, 1), .entry = part};
  EXPECT_TRUE(CheckNumbers(page, known).ok());
  page.part->ballot = B(2, 1);
  EXPECT_THAT(std::string(CheckNumbers(page, known).message()), HasSubstr("higher ballot"));
  page.part->ballot = B(1, 1);
  page.last_slot = Slot::Max();
  EXPECT_THAT(std::string(CheckNumbers(page, known).message()), HasSubstr("not where the page ends"))
      << "a vote without its end would not count";
  page.part->entry.slot = Slot::Max();
  EXPECT_THAT(std::string(CheckNumbers(page, known).message()), HasSubstr("beyond the window"));
  page.last_slot = page.part->entry.slot = Slot(11);
  page.votes = {{.slot = Slot(10), .ballot = B(1, 1), .entry = Value("x", B(1, 1))}};
  EXPECT_THAT(std::string(CheckNumbers(page, known).message()), HasSubstr("votes beside it"));
}

}  // namespace
}  // namespace decree::paxos
