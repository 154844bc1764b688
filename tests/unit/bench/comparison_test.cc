#include "bench/comparison.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report.h"

namespace decree::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ComparisonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("comparison_test." + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(directory_ / name) << text; }

  // A result as decree-bench writes it: `operations` in one second, each of a millisecond.
  void WriteRun(const std::string& name, int operations) {
    Report report{
        .target = "decree", .load = "put", .options = {}, .workload = {}, .channels = 8, .result = {}, .processes = {}};
    report.result.measured = Seconds(1);
    for (int i = 0; i < operations; ++i) report.result.latency[0].Add(Milliseconds(1));
    report.result.longest_gap = Milliseconds(operations);
    report.processes = {{.name = "client", .used = {.cpu = Seconds(1)}},
                        {.name = "decreed a", .used = {.cpu = Milliseconds(operations)}},
                        {.name = "decreed b", .used = {.cpu = Milliseconds(operations)}}};
    Write(name, ToJson(report));
  }

  Comparison Read() {
    StatusOr<Comparison> comparison = Comparison::Read(directory_);
    EXPECT_TRUE(comparison.ok()) << comparison.status();
    return comparison.ok() ? *std::move(comparison) : Comparison();
  }

  std::filesystem::path directory_;
};

TEST(MedianTest, IsInTheMiddle) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
}

TEST_F(ComparisonTest, PairsTheRoundsThatBothHave) {
  WriteRun("decree.put-64.1.json", 300);
  WriteRun("etcd.put-64.1.json", 100);
  WriteRun("decree.put-64.2.json", 250);
  WriteRun("etcd.put-64.2.json", 50);
  WriteRun("decree.put-64.3.json", 900);
  WriteRun("echo.get-64.1.json", 600);
  WriteRun("decree.unary-put-64.1.json", 150);
  Write("notes.txt", "not ours");
  const Comparison comparison = Read();
  EXPECT_THAT(comparison.Ratios("put-64", "put-64", &Measured::throughput), ElementsAre(3, 5));
  EXPECT_THAT(comparison.Ratios("put-256", "put-256", &Measured::throughput), IsEmpty());
  EXPECT_EQ(comparison.MedianOf("decree", "put-64", &Measured::throughput), 300);
  EXPECT_EQ(comparison.MedianOf("decree", "put-64", &Measured::cpu_us), 2000);
  const std::string text = comparison.ToMarkdown("3.4.23");
  EXPECT_THAT(text, HasSubstr("etcd 3.4.23"));
  EXPECT_THAT(text, HasSubstr("| put, 64 in flight | 300 | 75 | 3.00, 5.00 | **4.00** |"));
  EXPECT_THAT(text, HasSubstr("| 2000 : 2000 | 50 % |"));
  EXPECT_THAT(text, HasSubstr("| put, 64 in flight, unary calls | 150 | 75 | 1.50 | **1.50** |"));
  EXPECT_THAT(text, Not(HasSubstr("million")));
}

TEST_F(ComparisonTest, TellsKillsAndMemory) {
  WriteRun("decree.kill.1.json", 500);
  WriteRun("decree.kill.2.json", 700);
  Write("etcd.million.1.json", R"({"resident_mib": 600, "restart_ms": 9000})");
  const std::string text = Read().ToMarkdown("3.4");
  EXPECT_THAT(text, HasSubstr("| decree | 2 | 600 | 700 |"));
  EXPECT_THAT(text, HasSubstr("| etcd | 600 | 9000 |"));
}

TEST_F(ComparisonTest, WhatCannotBeReadIsNamed) {
  EXPECT_THAT(Comparison::Read(directory_).status().ToString(), HasSubstr("holds no results"));
  EXPECT_THAT(Comparison::Read(directory_ / "none").status().ToString(), HasSubstr("No such file"));
  Write("decree.put-1.1.json", "{\"throughput\": ");
  EXPECT_THAT(Comparison::Read(directory_).status().ToString(), HasSubstr("decree.put-1.1.json"));
  Write("decree.put-1.1.json", "{}");
  EXPECT_THAT(Comparison::Read(directory_).status().ToString(), HasSubstr("throughput"));
}

}  // namespace
}  // namespace decree::bench
