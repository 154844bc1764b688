#include "paxos/node/node.h"

#include <deque>
#include <functional>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"
#include "tests/support/log_in_memory.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

// Answers every command with its own text and where it was executed.
class EchoMachine final : public StateMachine {
 public:
  Slot applied() const override { return applied_; }
  std::string configuration() const override { return configuration_; }
  LogTime log_time() const override { return {}; }
  void Apply(std::span<const SlotCommands> slots, std::vector<CommandAnswer>* answers) override {
    for (const SlotCommands& slot : slots) {
      CHECK_EQ(slot.slot, applied_.Next());
      applied_ = slot.slot;
      if (!slot.configuration.empty()) configuration_ = slot.configuration;
      for (uint32_t index = 0; index < slot.commands.size(); ++index) {
        commands.emplace_back(slot.commands[index]);
        if (answers == nullptr) continue;
        ++answered;
        answers->push_back({.slot = slot.slot, .index = index, .bytes = std::string(slot.commands[index])});
      }
    }
  }

  std::vector<std::string> commands;
  size_t answered = 0;

 private:
  Slot applied_;
  std::string configuration_;
};

class FakeClock final : public Clock {
 public:
  Time Now() const override { return now; }
  Time now = kStart;
};

class FakeTransport final : public Transport {
 public:
  void Send(Envelope envelope) override {
    on_send(envelope);
    sent.push_back(std::move(envelope));
  }
  std::function<void(const Envelope&)> on_send = [](const Envelope&) {};
  std::vector<Envelope> sent;
};

class NodeTest : public testing::Test {
 protected:
  std::unique_ptr<Node> Start(SegmentLog& log, StateMachine& machine) {
    ++life_;
    auto node = Node::Start(Options(), log, machine, transport_, clock_, Life(life_), life_);
    CHECK(node.ok()) << node.status();
    return *std::move(node);
  }
  // Lets time pass until the node has nothing more to do by itself.
  void Pass(Node& node, Duration duration) {
    for (const Time end = clock_.now + duration; clock_.now < end;) {
      clock_.now += Milliseconds(10);
      node.Turn();
    }
  }
  // A node alone leads, and these commands are executed, each in a slot of its own.
  void LeadAndExecute(Node& node, const std::vector<std::string>& commands) {
    Pass(node, Seconds(2));
    for (const std::string& command : commands) {
      node.Propose(command, kTimeNever, [](ProposalEnd) {});
      node.Turn();
    }
  }
  void AnswerAs(uint32_t voter, const Envelope& sent, Node& node) {
    const std::optional<Message> answer = YesTo(sent.message);
    if (answer.has_value()) node.OnMessage(From(voter, sent.from.value(), *answer));
  }
  // With the help of n2.
  void LeadOfThree(Node& node) {
    while (node.replica().role() != Role::kLeader) {
      Pass(node, Milliseconds(10));
      for (const Envelope& sent : std::exchange(transport_.sent, {})) {
        if (sent.to == NodeId(2)) AnswerAs(2, sent, node);
      }
      node.Turn();
    }
  }
  OnProposalEnd Into(std::vector<ProposalEnd>& ends) {
    return [&ends](ProposalEnd end) { ends.push_back(std::move(end)); };
  }

  FakeClock clock_;
  FakeTransport transport_;
  uint64_t life_ = 0;
};

TEST_F(NodeTest, ExecutesACommandAndAnswersIt) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  const auto node = Start(log, machine);
  Pass(*node, Seconds(2));
  std::vector<ProposalEnd> ends;
  node->Propose("a", kTimeNever, Into(ends));
  node->Propose("b", kTimeNever, Into(ends));
  EXPECT_THAT(ends, IsEmpty());
  const int appends = log.appends;
  node->Turn();
  ASSERT_THAT(ends, SizeIs(2));
  EXPECT_EQ(ends[0].kind, ProposalEnd::Kind::kApplied);
  EXPECT_EQ(ends[0].answer, "a");
  EXPECT_EQ(ends[1].answer, "b");
  EXPECT_EQ(log.appends, appends + 1) << "both in one write";
}

TEST_F(NodeTest, WithoutALeaderNothingIsProposed) {
  check::LogInMemory log(1, Voters(3));
  EchoMachine machine;
  const auto node = Start(log, machine);
  std::vector<ProposalEnd> ends;
  node->Propose("a", kTimeNever, Into(ends));
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].kind, ProposalEnd::Kind::kNotLeader);
}

TEST_F(NodeTest, ReplaysWhatIsChosenAndNotYetApplied) {
  check::LogInMemory log(1, Voters(1));
  {
    EchoMachine machine;
    const auto node = Start(log, machine);
    LeadAndExecute(*node, {"a", "b", "c"});
    EXPECT_EQ(machine.answered, 3u);
  }
  EchoMachine machine;  // lost all it had applied
  const auto node = Start(log, machine);
  Pass(*node, Seconds(2));
  EXPECT_THAT(machine.commands, ElementsAre("a", "b", "c"));
  EXPECT_EQ(machine.answered, 0u) << "nobody waits for the answers";
}

TEST_F(NodeTest, ARestartedNodeHasWhatWasChosenAtHand) {
  check::LogInMemory log(3, Voters(3));
  EchoMachine machine;
  const EntryPtr a = Value("a", B(1, 1));
  const auto accept = [](Node& node, Ballot ballot, const EntryPtr& value) {
    node.OnMessage(From(ballot.node.value(), 3, Accept{.ballot = ballot, .entries = {{Slot(1), value}}}));
    node.Turn();
  };
  {
    const auto node = Start(log, machine);
    accept(*node, B(1, 1), a);
    node->OnMessage(From(1, 3, Heartbeat{.ballot = B(1, 1), .probe = 1, .chosen_index = Slot(1)}));
    node->Turn();
    ASSERT_EQ(machine.applied(), Slot(1));
  }
  const auto node = Start(log, machine);
  transport_.sent.clear();
  accept(*node, B(2, 2), Value("b", B(2, 2)));
  EXPECT_THAT(transport_.sent, IsEmpty()) << "no vote for another value";
  EXPECT_TRUE(node->replica().takes_part()) << "an old ballot says nothing of the one it was chosen under";
  accept(*node, B(3, 2), a);
  EXPECT_THAT(transport_.sent, SizeIs(1));
}

TEST_F(NodeTest, ARestartedNodeHoldsNoMoreInMemoryThanBefore) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  Options options;
  options.tail_bytes_max = 2000;
  {
    const auto node = Start(log, machine);
    LeadAndExecute(*node, std::vector<std::string>(6, std::string(600, 'x')));
  }
  const auto node = Node::Start(options, log, machine, transport_, clock_, Life(9), 9);
  ASSERT_TRUE(node.ok()) << node.status();
  const Acceptor& acceptor = (*node)->replica().acceptor();
  EXPECT_LE(acceptor.bytes(), options.tail_bytes_max);
  EXPECT_GT(acceptor.bytes(), options.tail_bytes_max - 1000);
  EXPECT_NE(acceptor.VoteAt((*node)->replica().chosen_index()), nullptr);
}

TEST_F(NodeTest, RefusesToStartWithAGapInTheLog) {
  check::LogInMemory log(1, Voters(1));
  {
    EchoMachine machine;
    const auto node = Start(log, machine);
    LeadAndExecute(*node, {"a", "b", "c"});
  }
  log.votes.erase(Slot(1));
  EchoMachine machine;
  const auto node = Node::Start(Options(), log, machine, transport_, clock_, Life(9), 9);
  ASSERT_FALSE(node.ok());
  EXPECT_THAT(std::string(node.status().message()), HasSubstr("no record for slot 1"));
}

TEST_F(NodeTest, RefusesALogThatEndsBelowWhatTheStoreHasApplied) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  {
    const auto node = Start(log, machine);
    LeadAndExecute(*node, {"a", "b", "c"});
  }
  log.LoseLast();
  const auto node = Node::Start(Options(), log, machine, transport_, clock_, Life(9), 9);
  ASSERT_FALSE(node.ok());
  EXPECT_THAT(std::string(node.status().message()),
              HasSubstr("the log ends at slot 2, but the store has applied slot 3"));
}

TEST_F(NodeTest, RefusesADirectoryThatWasFormattedAnew) {
  Configuration configuration = Voters(3);
  configuration.members[0].incarnation = Incarnation(555);
  check::LogInMemory log(1, configuration);
  EchoMachine machine;
  const auto node = Node::Start(Options(), log, machine, transport_, clock_, Life(9), 9);
  ASSERT_FALSE(node.ok());
  EXPECT_THAT(std::string(node.status().message()), HasSubstr("another incarnation"));
}

// A command of the leader of three, which the others have not answered.
class ProposedTest : public NodeTest {
 protected:
  ProposedTest() {
    LeadOfThree(*node_);
    node_->Propose("mine", kTimeNever, Into(ends_));
    node_->Turn();
  }

  check::LogInMemory log_{1, Voters(3)};
  EchoMachine machine_;
  const std::unique_ptr<Node> node_ = Start(log_, machine_);
  std::vector<ProposalEnd> ends_;
};

TEST_F(ProposedTest, ACommandWhoseSlotWasTakenNeverHappened) {
  EXPECT_THAT(ends_, IsEmpty());
  // n3 wins a higher ballot and has another value chosen in the same slot.
  const Ballot higher = B(node_->replica().ballot().round + 1, 3);
  node_->OnMessage(
      From(3, 1, Accept{.ballot = higher, .chosen_index = Slot(1), .entries = {{Slot(1), Value("theirs", higher)}}}));
  node_->Turn();
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].kind, ProposalEnd::Kind::kSuperseded);
  EXPECT_THAT(machine_.commands, ElementsAre("theirs"));
}

TEST_F(ProposedTest, ACutOffLeaderLosesSightOfWhatItHasProposed) {
  Pass(*node_, Milliseconds(300));
  EXPECT_THAT(ends_, IsEmpty()) << "the others are silent for a moment only";
  Pass(*node_, Milliseconds(400));
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].kind, ProposalEnd::Kind::kUnknown);
  EXPECT_TRUE(node_->replica().IsCutOff(clock_.now));
}

TEST_F(ProposedTest, AFormerLeaderThatDoesNotLearnWhatBecameOfACommandSaysSo) {
  // n3 leads from now on, and is heard; but what it had chosen does not come.
  const Ballot higher = B(node_->replica().ballot().round + 1, 3);
  for (uint64_t beat = 1; beat <= 14; ++beat) {
    node_->OnMessage(From(3, 1, Heartbeat{.ballot = higher, .probe = beat, .chosen_index = Slot(1)}));
    Pass(*node_, Milliseconds(100));
  }
  EXPECT_THAT(ends_, IsEmpty());
  Pass(*node_, Milliseconds(200));
  ASSERT_THAT(ends_, SizeIs(1));
  EXPECT_EQ(ends_[0].kind, ProposalEnd::Kind::kUnknown);
}

TEST_F(NodeTest, ReadsWaitUntilTheStateMachineIsFreshEnough) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  const auto node = Start(log, machine);
  Pass(*node, Seconds(2));
  std::vector<std::string> seen;
  node->Propose("a", kTimeNever, [](ProposalEnd) {});
  node->Turn();
  node->Read([&](ReadEnd end) {
    EXPECT_TRUE(end.granted);
    seen = machine.commands;
  });
  node->Turn();
  EXPECT_THAT(seen, ElementsAre("a"));
}

TEST_F(NodeTest, ReadsUnderTheLeaseNeedNoTurn) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  const auto node = Start(log, machine);
  EXPECT_FALSE(node->ReadUnderLease());
  Pass(*node, Seconds(2));
  EXPECT_TRUE(node->ReadUnderLease());
  EXPECT_EQ(node->read_counts().under_lease, 1u);
  const LeaseView view = node->published().Look();
  EXPECT_EQ(view.ballot, node->replica().ballot());
  EXPECT_EQ(view.index, node->replica().chosen_index());
  // The lease is checked against the time at which the read arrives, whatever the node has done since.
  clock_.now = view.until;
  EXPECT_FALSE(node->ReadUnderLease());
}

TEST_F(NodeTest, TheReadIndexIsPublishedBeforeTheAnswerThatDependsOnIt) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  const auto node = Start(log, machine);
  Pass(*node, Seconds(2));
  const Slot before = node->published().Look().index;
  Slot at_answer;
  node->Propose("a", kTimeNever, [&](ProposalEnd) { at_answer = node->published().Look().index; });
  node->Turn();
  EXPECT_EQ(at_answer, before.Next());
}

TEST_F(NodeTest, TheLeaseIsWithdrawnBeforeTheWaiverLeaves) {
  // The second node only answers.
  check::LogInMemory log(1, Voters(2));
  EchoMachine machine;
  const auto node = Start(log, machine);
  for (int step = 0; step < 400 && !node->ReadUnderLease(); ++step) {
    Pass(*node, Milliseconds(10));
    for (const Envelope& sent : std::exchange(transport_.sent, {})) AnswerAs(2, sent, *node);
  }
  ASSERT_TRUE(node->ReadUnderLease());
  bool waived = false;
  transport_.on_send = [&](const Envelope& envelope) {
    if (!std::holds_alternative<Waiver>(envelope.message)) return;
    waived = true;
    EXPECT_EQ(node->published().Look(), LeaseView());
  };
  ASSERT_EQ(node->TransferLeadership(), TransferResult::kBegun);
  node->Turn();
  EXPECT_TRUE(waived);
  EXPECT_FALSE(node->ReadUnderLease());
}

TEST_F(NodeTest, WithItsLeaseOffALeaderTakesAQuorumRound) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  Options options;
  options.uses_lease = false;
  auto node = Node::Start(options, log, machine, transport_, clock_, Life(1), 1);
  ASSERT_TRUE(node.ok());
  Pass(**node, Seconds(2));
  EXPECT_FALSE((*node)->ReadUnderLease());
  bool granted = false;
  (*node)->Read([&](ReadEnd end) { granted = end.granted; });
  EXPECT_FALSE(granted);
  (*node)->Turn();
  EXPECT_TRUE(granted);
  EXPECT_EQ((*node)->read_counts().by_round, 1u);
  EXPECT_EQ((*node)->read_counts().under_lease, 0u);
}

TEST_F(NodeTest, RefusesAReadWithoutALeader) {
  check::LogInMemory log(1, Voters(3));
  EchoMachine machine;
  const auto node = Start(log, machine);
  std::vector<ReadEnd> ends;
  node->Read([&](ReadEnd end) { ends.push_back(end); });
  node->Turn();
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_FALSE(ends[0].granted);
  EXPECT_EQ(ends[0].reason, RefusedRead::Reason::kNoLeader);
}

TEST_F(NodeTest, SendsBeforeItWrites) {
  check::LogInMemory log(1, Voters(3));
  EchoMachine machine;
  const auto node = Start(log, machine);
  const Ballot ballot = B(4, 2);
  node->OnMessage(From(2, 1, Accept{.ballot = ballot, .chosen_index = {}, .entries = {{Slot(1), Value("v", ballot)}}}));
  EXPECT_EQ(log.appends, 0);
  node->Turn();
  EXPECT_EQ(log.appends, 1);
  ASSERT_THAT(transport_.sent, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<Accepted>(transport_.sent[0].message));
}

TEST_F(NodeTest, WhatWasAnsweredCanLeaveBeforeTheLogIsWritten) {
  check::LogInMemory log(1, Voters(1));
  EchoMachine machine;
  const auto node = Start(log, machine);
  Pass(*node, Seconds(2));
  std::vector<ProposalEnd> ends;
  const int appends = log.appends;
  std::vector<std::pair<int, size_t>> calls;  // writes of the log by then, and answers
  node->BeforeLogWrite([&] { calls.emplace_back(log.appends - appends, ends.size()); });
  node->Propose("a", kTimeNever, [&](ProposalEnd end) {
    ends.push_back(std::move(end));
    node->Propose("b", kTimeNever, Into(ends));
  });
  node->Turn();
  EXPECT_THAT(ends, SizeIs(2));
  EXPECT_THAT(calls, ElementsAre(Pair(0, 0u), Pair(1, 1u)));
}

TEST_F(NodeTest, AVoteLeavesBeforeEarlierEntriesAreApplied) {
  check::LogInMemory log(1, Voters(3));
  EchoMachine machine;
  const auto node = Start(log, machine);
  const Ballot ballot = B(4, 2);
  node->OnMessage(From(2, 1, Accept{.ballot = ballot, .chosen_index = {}, .entries = {{Slot(1), Value("a", ballot)}}}));
  node->Turn();
  int votes = 0;
  transport_.on_send = [&](const Envelope& envelope) {
    if (!std::holds_alternative<Accepted>(envelope.message)) return;
    ++votes;
    EXPECT_EQ(log.votes.count(Slot(2)), 1u) << "it is durable";
    EXPECT_THAT(machine.commands, IsEmpty());
  };
  node->OnMessage(
      From(2, 1, Accept{.ballot = ballot, .chosen_index = Slot(1), .entries = {{Slot(2), Value("b", ballot)}}}));
  node->Turn();
  EXPECT_EQ(votes, 1);
  EXPECT_THAT(machine.commands, ElementsAre("a"));
}

TEST_F(NodeTest, AnswersAPeerFromTheLog) {
  check::LogInMemory log(1, Voters(3));
  Options options;
  options.tail_bytes_max = 0;  // nothing applied stays in memory
  EchoMachine machine;
  auto started = Node::Start(options, log, machine, transport_, clock_, Life(1), 1);
  ASSERT_TRUE(started.ok());
  Node& node = **started;
  const Ballot ballot = B(4, 2);
  node.OnMessage(From(2, 1,
                      Accept{.ballot = ballot,
                             .chosen_index = Slot(2),
                             .entries = {{Slot(1), Value("a", ballot)}, {Slot(2), Value("b", ballot)}}}));
  node.Turn();
  ASSERT_THAT(machine.commands, SizeIs(2));
  EXPECT_EQ(machine.answered, 0u) << "nobody waits for the answers here";
  transport_.sent.clear();
  node.OnMessage(
      From(3, 1, Fetch{.stream = 1, .number = 1, .position = {.slot = Slot(1)}, .last_slot = Slot(2), .credit = 1000}));
  node.Turn();
  ASSERT_THAT(transport_.sent, SizeIs(1));
  EXPECT_THAT(std::get<FetchAnswer>(transport_.sent[0].message).entries, SizeIs(2));
}

}  // namespace
}  // namespace decree::paxos
