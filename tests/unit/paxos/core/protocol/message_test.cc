#include "paxos/core/protocol/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

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

}  // namespace
}  // namespace decree::paxos
