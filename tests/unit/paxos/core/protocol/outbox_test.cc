#include "paxos/core/protocol/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

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

}  // namespace
}  // namespace decree::paxos
