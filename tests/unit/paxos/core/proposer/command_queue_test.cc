#include "paxos/core/proposer/command_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

TEST(CommandQueueTest, ABatchHoldsWhatFits) {
  CommandQueue queue;
  for (uint64_t i = 1; i <= 4; ++i) queue.Push(ProposalId(i), std::string(10, 'x'), kTimeNever);
  std::string payload;
  std::vector<DroppedProposal> dropped;
  EXPECT_THAT(queue.TakeBatch(30, kStart, payload, dropped), ElementsAre(ProposalId(1), ProposalId(2)));
  payload.clear();
  EXPECT_THAT(queue.TakeBatch(1, kStart, payload, dropped), ElementsAre(ProposalId(3))) << "at least one";
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

}  // namespace
}  // namespace decree::paxos
