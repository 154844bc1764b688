#include "paxos/core/leader/read_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

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
  const auto first = reads.BeginRound(kStart);
  ASSERT_TRUE(first.has_value());
  reads.Add(ReadId(2));
  EXPECT_FALSE(reads.BeginRound(kStart).has_value());
  EXPECT_THAT(reads.EndRound({.request = first->request, .served = true, .index = {}, .ballot = {}}),
              ElementsAre(ReadId(1)));
  const auto second = reads.BeginRound(kStart);
  ASSERT_TRUE(second.has_value());
  EXPECT_THAT(reads.EndRound({.request = first->request, .served = true, .index = {}, .ballot = {}}), IsEmpty())
      << "an answer to an earlier round";
}

}  // namespace
}  // namespace decree::paxos
