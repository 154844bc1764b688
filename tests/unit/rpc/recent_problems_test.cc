#include "rpc/recent_problems.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Time kFirst{Seconds(100)};

TEST(RecentProblemsTest, ATextIsTheSameProblemUntilItStops) {
  RecentProblems problems;
  EXPECT_TRUE(problems.Note("a", kFirst));
  EXPECT_TRUE(problems.Note("b", kFirst + Seconds(1)));
  EXPECT_FALSE(problems.Note("a", kFirst + Seconds(9)));
  EXPECT_FALSE(problems.Note("a", kFirst + Seconds(18)));
  EXPECT_THAT(problems.Recent(kFirst + Seconds(19)), ElementsAre("a"));
  EXPECT_THAT(problems.Recent(kFirst + Seconds(40)), IsEmpty());
  EXPECT_TRUE(problems.Note("a", kFirst + Seconds(40)));
}

TEST(RecentProblemsTest, KeepsAFewOnly) {
  RecentProblems problems;
  for (int i = 0; i < 1000; ++i) problems.Note(std::to_string(i), kFirst);
  EXPECT_THAT(problems.Recent(kFirst), SizeIs(16));
}

// A stranger may be the cause, with a new text each time.
TEST(RecentProblemsTest, AFewOnlyAreWorthALine) {
  RecentProblems problems;
  const auto lines_of = [&](Time now) {
    int lines = 0;
    for (int i = 0; i < 1000; ++i) lines += problems.Note(std::to_string(i), now) ? 1 : 0;
    return lines;
  };
  EXPECT_EQ(lines_of(kFirst), 16);
  EXPECT_EQ(lines_of(kFirst + Seconds(9)), 0);
  EXPECT_EQ(lines_of(kFirst + Seconds(11)), 16);
}

}  // namespace
}  // namespace decree::rpc
