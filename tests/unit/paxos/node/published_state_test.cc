#include "paxos/node/published_state.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace decree::paxos {
namespace {

TEST(PublishedStateTest, CoversAReadUntilTheLeaseEndsOnceItsIndexIsApplied) {
  const LeaseView view{.ballot = {.round = 1, .node = NodeId(1)}, .until = Time(Seconds(5)), .index = Slot(7)};
  EXPECT_TRUE(view.Covers(Time(Seconds(5)) - Duration(1), Slot(7)));
  EXPECT_FALSE(view.Covers(Time(Seconds(5)), Slot(7)));
  EXPECT_FALSE(view.Covers(Time(Seconds(4)), Slot(6)));
  EXPECT_FALSE(LeaseView().Covers(Time(Seconds(4)), Slot(7)));
}

TEST(PublishedStateTest, NeverMixesTwoValues) {
  PublishedState state;
  std::atomic<bool> stops{false};
  std::thread publisher([&] {
    for (uint64_t i = 1; i <= 200'000; ++i) {
      state.Publish({.ballot = {.round = i, .node = NodeId(static_cast<uint32_t>(i))},
                     .until = Time(Duration(static_cast<int64_t>(i))),
                     .index = Slot(i)});
    }
    stops = true;
  });
  uint64_t last = 0;
  while (!stops) {
    const LeaseView view = state.Look();
    if (view == LeaseView()) continue;
    EXPECT_GE(view.ballot.round, last);
    last = view.ballot.round;
    ASSERT_EQ(view.index.value(), last);
    ASSERT_EQ(view.ballot.node.value(), last);
    ASSERT_EQ(view.until.time_since_epoch().count(), static_cast<int64_t>(last));
  }
  publisher.join();
}

}  // namespace
}  // namespace decree::paxos
