#include "rpc/loop/answer_batches.h"

#include <string>

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

constexpr size_t kMiB = 1 << 20;

TEST(AnswerBatchesTest, WhatGathersLeavesAsOneBatch) {
  AnswerBatches<std::string> batches;
  EXPECT_TRUE(batches.empty());
  batches.ForNext(1) += "a";
  batches.ForNext(1) += "b";
  ASSERT_FALSE(batches.empty());
  EXPECT_EQ(batches.front(), "ab");
  batches.PopFront();
  EXPECT_TRUE(batches.empty());
}

TEST(AnswerBatchesTest, ABatchIsClosedWhenItIsLarge) {
  AnswerBatches<std::string> batches;
  batches.ForNext(kMiB) += "large";
  batches.ForNext(1) += "next";
  EXPECT_EQ(batches.front(), "large");
  batches.PopFront();
  EXPECT_EQ(batches.front(), "next");
}

TEST(AnswerBatchesTest, CountsWhatHasNotLeftAndWhatItHoldsBesideItsBytes) {
  AnswerBatches<std::string> batches;
  batches.ForNext(kMiB);
  batches.ForNext(1000);
  const size_t both = batches.bytes();
  EXPECT_GT(both, kMiB + 1000);
  batches.PopFront();
  EXPECT_GT(batches.bytes(), 1000u);
  EXPECT_LT(batches.bytes(), both - kMiB + 1);
  batches.Clear();
  EXPECT_EQ(batches.bytes(), 0u);
  EXPECT_TRUE(batches.empty());
}

TEST(AnswerBatchesTest, ManySmallAnswersFillABatchToo) {
  AnswerBatches<std::string> batches;
  for (int i = 0; i < 20'000; ++i) batches.ForNext(1) += 'x';
  EXPECT_LT(batches.front().size(), 20'000u);
}

}  // namespace
}  // namespace decree::rpc
