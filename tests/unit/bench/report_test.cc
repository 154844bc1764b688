#include "bench/report.h"

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/plot.h"

namespace decree::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 1,000 puts in two seconds, with errors, beside a server that used a tenth of a second.
Report Example() {
  Report report{.target = "decree",
                .load = "put",
                .options = {.in_flight = 8, .rate = 0},
                .workload = {},
                .channels = 2,
                .result = {},
                .processes = {},
                .disk_bytes = 250'000};
  report.workload.key_bytes = 24;
  report.workload.value_bytes = 76;
  report.result.measured = Seconds(2);
  for (int i = 1; i <= 1000; ++i) {
    report.result.latency[static_cast<size_t>(Kind::kPut)].Add(Milliseconds(i) / 100);
  }
  report.result.errors["UNAVAILABLE"] = 3;
  report.result.first_error = "UNAVAILABLE: gone";
  report.result.longest_gap = Milliseconds(750);
  report.result.seconds = {{.done = 400, .p99 = Milliseconds(7)}, {.done = 600}};
  report.processes.push_back({.name = "decreed 127.0.0.1:7001",
                              .used = {.cpu = Milliseconds(100), .resident_bytes = 50 << 20, .switches = 3000}});
  return report;
}

TEST(ReportTest, TheTableHasWhatPeopleAskFor) {
  std::ostringstream table;
  PrintTable(Example(), table);
  EXPECT_THAT(table.str(), HasSubstr("put on decree: 500 operations/s, 8 in flight, 2 channels"));
  EXPECT_THAT(table.str(), HasSubstr("longest time without an answer: 750 ms"));
  EXPECT_THAT(table.str(), HasSubstr("errors: 3 x UNAVAILABLE"));
  EXPECT_THAT(table.str(), HasSubstr("UNAVAILABLE: gone"));
  EXPECT_THAT(table.str(), HasSubstr("decreed 127.0.0.1:7001           100.0"));
  EXPECT_THAT(table.str(), HasSubstr("the disks of this machine wrote 2.5 bytes per byte of keys and values"));
  EXPECT_THAT(table.str(), Not(HasSubstr("swaps")));
}

TEST(ReportTest, TheJsonHasTheSameFigures) {
  const auto json = nlohmann::json::parse(ToJson(Example()));
  EXPECT_EQ(json["operations"], 1000);
  EXPECT_EQ(json["throughput"], 500.0);
  EXPECT_NEAR(json["latency_us"]["p50"], 5000, 5000.0 / 64);
  EXPECT_EQ(json["latency_us"]["max"], 10'000.0);
  EXPECT_EQ(json["by_kind"]["put"]["count"], 1000);
  EXPECT_EQ(json["errors"]["UNAVAILABLE"], 3);
  EXPECT_EQ(json["longest_gap_ms"], 750.0);
  EXPECT_EQ(json["processes"][0]["cpu_us_per_operation"], 100.0);
  EXPECT_EQ(json["processes"][0]["resident_mib"], 50.0);
  EXPECT_EQ(json["processes"][0]["switches_per_operation"], 3.0);
  EXPECT_EQ(json["disk_bytes_per_payload_byte"], 2.5);
  EXPECT_EQ(json["over_time"].size(), 2u);
  EXPECT_EQ(json["over_time"][1]["done"], 600);
}

// 500 of 1,500 writes were swaps that changed nothing.
TEST(ReportTest, ASwapThatIsLostWritesNothing) {
  Report report = Example();
  for (int i = 0; i < 500; ++i) {
    report.result.latency[static_cast<size_t>(Kind::kSwap)].Add(Milliseconds(1));
    report.result.latency[static_cast<size_t>(Kind::kGet)].Add(Milliseconds(1));
  }
  EXPECT_EQ(report.payload_bytes(), 150'000u);
  report.result.swaps_lost = 500;
  EXPECT_EQ(report.payload_bytes(), 100'000u);
}

TEST(ReportTest, ARunWithoutAnyAnswerIsShownAsWell) {
  Report report = Example();
  report.result.latency = {};
  std::ostringstream table;
  PrintTable(report, table);
  EXPECT_THAT(table.str(), HasSubstr("put on decree: 0 operations/s"));
  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_EQ(json["processes"][0]["cpu_us_per_operation"], 0.0);
  EXPECT_FALSE(json.contains("disk_bytes_per_payload_byte")) << "nothing was written";
}

TEST(ReportTest, DisksOfOtherMachinesAreNotShown) {
  Report report = Example();
  report.disk_bytes = std::nullopt;
  EXPECT_EQ(report.write_amplification(), std::nullopt);
  std::ostringstream table;
  PrintTable(report, table);
  EXPECT_THAT(table.str(), Not(HasSubstr("disks of this machine")));
}

TEST(PlotTest, DrawsALineForEachSeriesAndABarForEachValue) {
  const std::string lines = PlotOverTime(Example());
  size_t count = 0;
  for (size_t at = lines.find("<polyline"); at != std::string::npos; at = lines.find("<polyline", at + 1)) {
    ++count;
  }
  EXPECT_EQ(count, 5u);
  EXPECT_THAT(lines, HasSubstr("put on decree: operations in each second"));

  const std::string bars =
      ToSvg({{.title = "a < b & c", .series = {{"one", {1, 2}}, {"two", {3}}}, .labels = {"x", "y"}, .is_bars = true}});
  EXPECT_THAT(bars, HasSubstr("a &lt; b &amp; c"));
  count = 0;
  for (size_t at = bars.find("fill='#"); at != std::string::npos; at = bars.find("fill='#", at + 1)) ++count;
  EXPECT_EQ(count, 5u);  // three bars, two names
}

TEST(PlotTest, NothingIsAChartToo) {
  EXPECT_THAT(ToSvg({{.title = "empty", .series = {}, .labels = {}}}), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace decree::bench
