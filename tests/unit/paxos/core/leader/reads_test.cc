#include "paxos/core/leader/reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class ReadsTest : public testing::Test {
 protected:
  void Add(const Reader& reader) { reads_.AddAtLeader(reader, leader_, outbox_, out_); }
  void Advance(uint64_t confirmed_probe) { reads_.AdvanceAtLeader(leader_, confirmed_probe, outbox_, out_); }

  std::vector<ReadIndexAnswer> Answers() {
    outbox_.Drain(kStart, out_);
    return Sent<ReadIndexAnswer>(out_);
  }

  static Options Small() {
    Options options;
    options.pending_reads_max = 3;
    return options;
  }

  const RemoteRead remote_{.from = NodeId(2), .life = Life(2), .request = 40};
  LeaderView leader_{
      .ballot = B(3, 1), .chosen_index = Slot(8), .is_current = true, .holds_lease = false, .last_probe = 5};
  Outbox outbox_{Self(1)};
  Output out_;
  Reads reads_{Small()};
};

TEST_F(ReadsTest, UnderTheLeaseNothingWaits) {
  leader_.holds_lease = true;
  Add(ReadId(1));
  ASSERT_THAT(out_.reads, SizeIs(1));
  EXPECT_EQ(out_.reads[0].slot, Slot(8));
  EXPECT_FALSE(reads_.AnyAtLeader());
  EXPECT_EQ(reads_.counts().under_lease, 1u);
}

TEST_F(ReadsTest, ALeaderThatIsNotCurrentServesNothing) {
  leader_.holds_lease = true;
  leader_.is_current = false;
  Add(ReadId(1));
  Advance(9);
  EXPECT_THAT(out_.reads, IsEmpty());
  EXPECT_FALSE(reads_.NeedProbe(5)) << "a round would not help";
  leader_.is_current = true;
  leader_.chosen_index = Slot(9);
  Advance(9);
  ASSERT_THAT(out_.reads, SizeIs(1));
  EXPECT_EQ(out_.reads[0].slot, Slot(9));
}

TEST_F(ReadsTest, WithoutALeaseAProbeThatWasSentAfterwardsConfirmsThem) {
  Add(ReadId(1));
  Add(remote_);
  EXPECT_TRUE(reads_.NeedProbe(5));
  EXPECT_FALSE(reads_.NeedProbe(6)) << "one round serves both";
  leader_.chosen_index = Slot(12);
  Advance(5);
  EXPECT_THAT(out_.reads, IsEmpty()) << "that one was on its way before";
  Advance(6);
  ASSERT_THAT(out_.reads, SizeIs(1));
  EXPECT_EQ(out_.reads[0].slot, Slot(8)) << "as of its arrival";
  const std::vector<ReadIndexAnswer> answers = Answers();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_TRUE(answers[0].served);
  EXPECT_EQ(answers[0].request, 40u);
  EXPECT_EQ(answers[0].ballot, B(3, 1));
  EXPECT_EQ(reads_.counts().by_round, 1u) << "the other one is its own node's to count";
}

TEST_F(ReadsTest, WhoLeadsNoMoreRefusesAllThatWaits) {
  Add(ReadId(1));
  Add(remote_);
  leader_.is_current = false;
  Add(ReadId(2));
  EXPECT_TRUE(reads_.IsFull());
  reads_.RefuseAtLeader(outbox_, out_);
  ASSERT_THAT(out_.refused_reads, SizeIs(2));
  EXPECT_EQ(out_.refused_reads[0].reason, RefusedRead::Reason::kLeaderChanged);
  ASSERT_THAT(Answers(), SizeIs(1));
  EXPECT_FALSE(Answers()[0].served);
  EXPECT_FALSE(reads_.IsFull());
}

TEST_F(ReadsTest, AFollowersReadsShareARound) {
  EXPECT_EQ(reads_.AskedUntil(), kTimeNever);
  reads_.Ask(ReadId(1));
  reads_.Ask(ReadId(2));
  const auto request = reads_.BeginRound(kStart);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(reads_.AskedUntil(), kStart + Options().election_timeout_min);
  const ReadIndexAnswer answer{.request = request->request, .served = true, .index = Slot(4), .ballot = B(3, 1)};
  EXPECT_TRUE(reads_.OnAnswer(answer, out_));
  EXPECT_THAT(out_.reads, SizeIs(2));
  EXPECT_EQ(reads_.counts().at_leaders_index, 2u);
  EXPECT_FALSE(reads_.OnAnswer(answer, out_)) << "a repeated answer";
  EXPECT_THAT(out_.reads, SizeIs(2));
}

TEST_F(ReadsTest, ARefusedRoundRefusesItsReads) {
  reads_.Ask(ReadId(1));
  const auto request = reads_.BeginRound(kStart);
  EXPECT_TRUE(reads_.OnAnswer({.request = request->request, .served = false, .index = {}, .ballot = {}}, out_));
  EXPECT_THAT(out_.reads, IsEmpty());
  EXPECT_THAT(out_.refused_reads, SizeIs(1));
  EXPECT_EQ(reads_.AskedUntil(), kTimeNever);
}

}  // namespace
}  // namespace decree::paxos
