#include "paxos/core/protocol/entry_assembly.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

class EntryAssemblyTest : public testing::Test {
 protected:
  bool Append(const Entry& entry, uint64_t first_byte, size_t bytes, Slot slot = Slot(3)) {
    return assembly_.Append(PartOf(slot, entry, first_byte, bytes));
  }

  const EntryPtr entry_ = Value(std::string(1000, 'v'), B(4, 2));
  const size_t size_ = entry_->payload.size();
  EntryAssembly assembly_;
};

TEST_F(EntryAssemblyTest, IsWholeOnceAllPartsAreThere) {
  EXPECT_TRUE(Append(*entry_, 0, 400));
  EXPECT_EQ(assembly_.bytes(), 400u);
  EXPECT_EQ(assembly_.TakeWhole(), nullptr);
  EXPECT_TRUE(Append(*entry_, 400, size_));
  const EntryPtr whole = assembly_.TakeWhole();
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(*whole, *entry_);
  EXPECT_EQ(assembly_.TakeWhole(), nullptr) << "once";
}

TEST_F(EntryAssemblyTest, APartAtTheBeginningBeginsAnew) {
  EXPECT_TRUE(Append(*Value(std::string(700, 'w'), B(5, 3)), 0, 400));
  EXPECT_TRUE(Append(*entry_, 0, 500));
  EXPECT_TRUE(Append(*entry_, 500, size_));
  EXPECT_EQ(*assembly_.TakeWhole(), *entry_);
}

TEST_F(EntryAssemblyTest, WhatDoesNotFollowOnIsRefused) {
  const EntryPtr other_proposer = Value(std::string(1000, 'v'), B(4, 3));
  const EntryPtr other_size = Value(std::string(1001, 'v'), B(4, 2));
  Entry other_time = *entry_;
  other_time.log_time = LogTime(7);
  const auto refuses = [&](const Entry& next, uint64_t first_byte, Slot slot = Slot(3)) {
    EXPECT_TRUE(Append(*entry_, 0, 400));
    const bool is_refused = !Append(next, first_byte, size_, slot);
    EXPECT_FALSE(Append(*entry_, 400, size_)) << "nothing is kept";
    return is_refused;
  };
  EXPECT_TRUE(refuses(*entry_, 399)) << "a part twice";
  EXPECT_TRUE(refuses(*entry_, 401)) << "a gap";
  EXPECT_TRUE(refuses(*entry_, 400, Slot(4)));
  EXPECT_TRUE(refuses(*other_proposer, 400));
  EXPECT_TRUE(refuses(*other_size, 400));
  EXPECT_TRUE(refuses(other_time, 400));
}

TEST_F(EntryAssemblyTest, AMalformedWholeIsRefused) {
  EntryPart part = PartOf(Slot(3), *entry_, 0, size_);
  part.payload_bytes = size_ - 1;
  EXPECT_FALSE(assembly_.Append(part)) << "longer than it says";
  part.payload_bytes = size_ + 1;
  EXPECT_TRUE(assembly_.Append(part)) << "the rest is to come";
  EXPECT_EQ(assembly_.TakeWhole(), nullptr);

  const Entry cut_off{
      .kind = EntryKind::kCommands, .proposer = B(4, 2), .log_time = {}, .payload = std::string(9, 'x')};
  EXPECT_FALSE(Append(cut_off, 0, 100)) << "no batch of commands";
  EXPECT_EQ(assembly_.TakeWhole(), nullptr);
}

}  // namespace
}  // namespace decree::paxos
