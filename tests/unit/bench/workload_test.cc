#include "bench/workload.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/zipf.h"

namespace decree::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kDraws = 200'000;

// ---- Zipf ----

TEST(ZipfTest, RanksComeAsOftenAsTheirLawSays) {
  for (const double exponent : {0.5, 0.99, 1.0, 1.5}) {
    constexpr uint64_t kCount = 1000;
    const Zipf zipf(kCount, exponent);
    double total = 0;
    for (uint64_t rank = 1; rank <= kCount; ++rank) {
      total += std::pow(static_cast<double>(rank), -exponent);
    }
    Random random(3);
    std::vector<int> seen(kCount);
    for (int i = 0; i < kDraws; ++i) ++seen.at(zipf.Draw(random));
    for (const uint64_t rank : {0, 1, 2, 9, 99}) {
      const double expected = kDraws * std::pow(static_cast<double>(rank + 1), -exponent) / total;
      EXPECT_NEAR(seen[rank], expected, 5 * std::sqrt(expected) + 1) << "rank " << rank << ", exponent " << exponent;
    }
  }
}

TEST(ZipfTest, OneRankIsDrawnAlways) {
  const Zipf zipf(1, 0.99);
  Random random(1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(zipf.Draw(random), 0u);
}

TEST(ZipfTest, ABillionRanksStayWithin) {
  const Zipf zipf(1'000'000'000, 0.99);
  Random random(1);
  uint64_t highest = 0;
  for (int i = 0; i < kDraws; ++i) highest = std::max(highest, zipf.Draw(random));
  EXPECT_LT(highest, 1'000'000'000u);
  EXPECT_GT(highest, 900'000'000u);
}

// ---- Workload ----

WorkloadOptions LoadNamed(const std::string& name) {
  WorkloadOptions options;
  EXPECT_TRUE(options.SetLoad(name).ok()) << name;
  EXPECT_TRUE(options.Validate().ok());
  return options;
}

std::map<Kind, int> CountKinds(const WorkloadOptions& options) {
  Workload workload(options, 11);
  std::map<Kind, int> kinds;
  for (int i = 0; i < kDraws; ++i) ++kinds[workload.Next().kind];
  return kinds;
}

TEST(WorkloadTest, DrawsEachKindByItsShare) {
  WorkloadOptions options;
  ASSERT_TRUE(options.SetMix("put=30,get=60,swap=10").ok());
  const auto kinds = CountKinds(options);
  EXPECT_EQ(kinds.size(), 3u);
  EXPECT_NEAR(kinds.at(Kind::kPut), 0.3 * kDraws, 0.01 * kDraws);
  EXPECT_NEAR(kinds.at(Kind::kGet), 0.6 * kDraws, 0.01 * kDraws);
  EXPECT_NEAR(kinds.at(Kind::kSwap), 0.1 * kDraws, 0.01 * kDraws);
}

TEST(WorkloadTest, ASingleKindIsAloneWhereverItStands) {
  for (const char* const name : {"put", "get", "stale-get", "swap", "modify", "insert"}) {
    const auto kinds = CountKinds(LoadNamed(name));
    ASSERT_EQ(kinds.size(), 1u) << name;
    EXPECT_EQ(KindName(kinds.begin()->first), name);
  }
}

TEST(WorkloadTest, KnowsTheLoadsOfYcsb) {
  EXPECT_EQ(CountKinds(LoadNamed("ycsb-c")).size(), 1u);
  EXPECT_NEAR(CountKinds(LoadNamed("ycsb-b")).at(Kind::kPut), 0.05 * kDraws, 0.005 * kDraws);
  EXPECT_NEAR(CountKinds(LoadNamed("ycsb-f")).at(Kind::kModify), 0.5 * kDraws, 0.01 * kDraws);
}

TEST(WorkloadTest, ZipfianKeysAreSpreadAndUnequal) {
  const WorkloadOptions options = LoadNamed("ycsb-a");
  Workload workload(options, 5);
  std::map<uint64_t, int> seen;
  for (int i = 0; i < kDraws; ++i) ++seen[workload.Next().key];
  EXPECT_LT(seen.rbegin()->first, options.keys);
  int most = 0;
  for (const auto& [key, times] : seen) most = std::max(most, times);
  EXPECT_GT(most, kDraws / 25);  // of 100,000 keys
  EXPECT_GT(seen.size(), 10'000u);
}

TEST(WorkloadTest, InsertsMakeNewKeysAndTheLatestAreReadMost) {
  const WorkloadOptions options = LoadNamed("ycsb-d");
  Workload workload(options, 5);
  uint64_t inserted = 0, recent = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Workload::Request request = workload.Next();
    if (request.kind == Kind::kInsert) {
      EXPECT_EQ(request.key, options.keys + inserted++);
    } else {
      ASSERT_LT(request.key, workload.keys());
      if (request.key + 100 >= workload.keys()) ++recent;
    }
  }
  EXPECT_EQ(workload.keys(), options.keys + inserted);
  EXPECT_GT(recent, kDraws / 4);
}

TEST(WorkloadTest, OneSeedGivesOneSequence) {
  Workload one(LoadNamed("ycsb-a"), 9), same(LoadNamed("ycsb-a"), 9), other(LoadNamed("ycsb-a"), 10);
  int differing = 0;
  for (int i = 0; i < 100; ++i) {
    const uint64_t key = one.Next().key;
    EXPECT_EQ(key, same.Next().key);
    differing += key != other.Next().key;
  }
  EXPECT_GT(differing, 50);
}

TEST(WorkloadTest, KeysAndValuesHaveTheirSize) {
  WorkloadOptions options = LoadNamed("put");
  options.key_bytes = 40;
  options.value_bytes = 1000;
  Workload workload(options, 1);
  EXPECT_EQ(workload.KeyAt(17), "bench/0000000017" + std::string(24, '.'));
  EXPECT_EQ(workload.NextValue().size(), 1000u);
  const std::string first(workload.NextValue());
  EXPECT_NE(workload.NextValue(), first);
}

TEST(WorkloadOptionsTest, RefusesWhatItDoesNotKnow) {
  WorkloadOptions options;
  EXPECT_THAT(options.SetLoad("ycsb-e").ToString(), AllOf(HasSubstr("no load \"ycsb-e\""), HasSubstr("ycsb-f")));
  for (const char* const mix : {"put", "put=", "put=x", "push=3", "put=1,,get=2", "put=-1", "put=nan"}) {
    EXPECT_THAT(options.SetMix(mix).ToString(), HasSubstr("KIND=SHARE")) << mix;
  }
  ASSERT_TRUE(options.SetMix("put=0,get=0").ok());
  EXPECT_THAT(options.Validate().ToString(), HasSubstr("all shares are 0"));
  ASSERT_TRUE(options.SetLoad("put").ok());
  options.key_bytes = 4;
  EXPECT_THAT(options.Validate().ToString(), HasSubstr("key-size is 4; it must be from 16 to 4096"));
}

}  // namespace
}  // namespace decree::bench
