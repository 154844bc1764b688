#include "rpc/loop/answer_batches.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/rpc/loop/loop_fixture.h"

namespace decree::rpc {
namespace {

constexpr size_t kMiB = 1 << 20;

class AnswerBatchesTest : public testing::Test {
 protected:
  std::string& ForNext(size_t bytes) { return batches_.ForNext(taker_.Charge(bytes)); }

  ManualLoop manual_;
  Budget room_{manual_.loop(), {}};
  Budget::Holder taker_{room_, [] { return ""; }};
  AnswerBatches<std::string> batches_;
};

TEST_F(AnswerBatchesTest, WhatGathersLeavesAsOneBatch) {
  EXPECT_TRUE(batches_.empty());
  ForNext(1) += "a";
  ForNext(1) += "b";
  ASSERT_FALSE(batches_.empty());
  EXPECT_EQ(batches_.front(), "ab");
  batches_.PopFront();
  EXPECT_TRUE(batches_.empty());
}

TEST_F(AnswerBatchesTest, ABatchIsClosedWhenItIsLarge) {
  ForNext(kMiB) += "large";
  ForNext(1) += "next";
  EXPECT_EQ(batches_.front(), "large");
  batches_.PopFront();
  EXPECT_EQ(batches_.front(), "next");
}

TEST_F(AnswerBatchesTest, HoldsRoomForAnswersAndWhatTheyHoldBesideTheirBytes) {
  ForNext(kMiB);
  ForNext(1000);
  const size_t both = taker_.held();
  EXPECT_GT(both, kMiB + 1000);
  batches_.PopFront();
  EXPECT_EQ(taker_.held(), both) << "it has not left";
  batches_.OnLeft();
  EXPECT_GT(taker_.held(), 1000u);
  EXPECT_LT(taker_.held(), both - kMiB + 1);
  batches_.Clear();
  EXPECT_EQ(taker_.held(), 0u);
  EXPECT_TRUE(batches_.empty());
}

TEST_F(AnswerBatchesTest, ManySmallAnswersFillABatchToo) {
  for (int i = 0; i < 20'000; ++i) ForNext(1) += 'x';
  EXPECT_LT(batches_.front().size(), 20'000u);
}

}  // namespace
}  // namespace decree::rpc
