#include "kv/answer_block.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::kv {
namespace {

using testing::ElementsAre;

std::string BlockOfTwo() {
  std::string block;
  AppendAnswer(300, {.hash = 7, .result = "first"}, block);
  AppendAnswer(2, {.hash = 0, .result = ""}, block);
  return block;
}

TEST(AnswerBlockTest, AnswersAreReadInTheOrderInWhichTheyWereGiven) {
  std::vector<uint64_t> numbers;
  std::vector<std::string> results;
  ASSERT_TRUE(VisitAnswers(BlockOfTwo(), [&](uint64_t number, uint64_t, std::string_view result) {
                numbers.push_back(number);
                results.emplace_back(result);
              }).ok());
  EXPECT_THAT(numbers, ElementsAre(300, 2));
  EXPECT_THAT(results, ElementsAre("first", ""));
}

TEST(AnswerBlockTest, FindsAnAnswerByItsNumber) {
  EXPECT_EQ(RequireAnswer(BlockOfTwo(), 300), "first");
  EXPECT_EQ(RequireAnswer(BlockOfTwo(), 2), "");
  EXPECT_DEATH(RequireAnswer(BlockOfTwo(), 3), "the store has lost the answer to request 3");
}

TEST(AnswerBlockTest, ABlockThatIsCutOffAnywhereIsNotRead) {
  const std::string block = BlockOfTwo();
  std::string first;
  AppendAnswer(300, {.hash = 7, .result = "first"}, first);
  for (size_t size = 0; size < block.size(); ++size) {
    const Status status = VisitAnswers(std::string_view(block).substr(0, size), [](auto...) {});
    if (size == first.size()) continue;  // a whole block of one answer
    EXPECT_TRUE(absl::IsDataLoss(status)) << size;
  }
}

}  // namespace
}  // namespace decree::kv
