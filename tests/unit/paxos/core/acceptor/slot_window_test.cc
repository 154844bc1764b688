#include "paxos/core/acceptor/slot_window.h"

#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

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
