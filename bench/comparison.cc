#include "bench/comparison.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "bench/plot.h"

namespace decree::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kDecree[] = "decree", kEtcd[] = "etcd", kEcho[] = "echo";
constexpr char kKill[] = "kill", kMillion[] = "million", kEchoLoad[] = "get-64";

// One of our loads, and which of etcd's it is held against.
struct LoadRow {
  const char* ours;
  const char* theirs;
  const char* title;
};
constexpr LoadRow kLoadRows[] = {
    {"get-64", "get-64", "linearizable get, 64 in flight"},
    {"stale-get-64", "stale-get-64", "stale get, 64 in flight"},
    {"mixed-64", "mixed-64", "half put, half get, 64 in flight"},
    {"put-1", "put-1", "put, 1 in flight"},
    {"put-64", "put-64", "put, 64 in flight"},
    {"put-256", "put-256", "put, 256 in flight"},
    {"unary-get-64", "get-64", "linearizable get, 64 in flight, unary calls"},
    {"unary-put-64", "put-64", "put, 64 in flight, unary calls"},
    {"unary-put-256", "put-256", "put, 256 in flight, unary calls"},
};

std::string Format(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}
std::string Whole(double value) { return Format("%.0f", value); }
std::string Ratio(double value) { return Format("%.2f", value); }
std::string MillisecondsText(double microseconds) { return Format("%.2f", microseconds / 1e3); }

std::string List(const std::vector<double>& ratios) {
  std::string text;
  for (const double ratio : ratios) text += (text.empty() ? "" : ", ") + Ratio(ratio);
  return text;
}

Measured FromJson(const nlohmann::json& json) {
  Measured measured{.throughput = json.at("throughput"),
                    .p50_us = json.at("latency_us").at("p50"),
                    .p99_us = json.at("latency_us").at("p99"),
                    .longest_gap_ms = json.at("longest_gap_ms")};
  for (const auto& process : json.at("processes")) {
    if (process.at("name") == "client") continue;
    measured.cpu_us += process.at("cpu_us_per_operation").get<double>();
  }
  return measured;
}

// "decree.put-64.1.json" in its parts; empty if it is none of ours.
std::vector<std::string> Parts(const std::string& name) {
  std::vector<std::string> parts;
  size_t from = 0;
  for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', from)) {
    parts.push_back(name.substr(from, dot - from));
    from = dot + 1;
  }
  return parts.size() == 3 && name.substr(from) == "json" ? parts : std::vector<std::string>();
}

}  // namespace

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

StatusOr<Comparison> Comparison::Read(const std::string& directory) {
  Comparison comparison;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::vector<std::string> parts = Parts(it->path().filename());
    int round = 0;
    if (parts.empty()) continue;
    std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), round);
    try {
      const auto json = nlohmann::json::parse(std::ifstream(it->path()));
      if (parts[1] == kMillion) {
        comparison.million_keys_[parts[0]] = {.resident_mib = json.at("resident_mib"),
                                              .restart_ms = json.at("restart_ms")};
      } else {
        comparison.measured_[parts[0]][parts[1]][round] = FromJson(json);
      }
    } catch (const nlohmann::json::exception& wrong) {
      return absl::InvalidArgumentError(StrCat(it->path().string(), ": ", wrong.what()));
    }
  }
  if (error) return absl::NotFoundError(StrCat(directory, ": ", error.message()));
  if (comparison.measured_.empty()) {
    return absl::NotFoundError(StrCat(directory, " holds no results"));
  }
  return comparison;
}

const Comparison::Rounds& Comparison::Of(const std::string& system, const std::string& load) const {
  static const Rounds kNone;
  const auto loads = measured_.find(system);
  if (loads == measured_.end()) return kNone;
  const auto rounds = loads->second.find(load);
  return rounds == loads->second.end() ? kNone : rounds->second;
}

std::vector<double> Comparison::Ratios(const std::string& ours, const std::string& theirs,
                                       double Measured::*figure) const {
  std::vector<double> ratios;
  const Rounds& others = Of(kEtcd, theirs);
  for (const auto& [round, measured] : Of(kDecree, ours)) {
    const auto other = others.find(round);
    if (other == others.end() || other->second.*figure == 0) continue;
    ratios.push_back(measured.*figure / other->second.*figure);
  }
  return ratios;
}

double Comparison::MedianOf(const std::string& system, const std::string& load, double Measured::*figure) const {
  std::vector<double> values;
  for (const auto& [round, measured] : Of(system, load)) values.push_back(measured.*figure);
  return Median(values);
}

std::string Comparison::ToMarkdown(const std::string& etcd_version) const {
  return StrCat("Decree and etcd ", etcd_version,
                ", three nodes each on one machine with the load, 256-byte values, 8 channels, every write "
                "synced. Decree's requests go by pipelines, or, where it says so, as unary calls like etcd's. Ratios "
                "are Decree's figure by etcd's, round by round.\n\n",
                LoadTable(), "\n", KillTable(), MillionTable());
}

std::string Comparison::LoadTable() const {
  const double ceiling = MedianOf(kEcho, kEchoLoad, &Measured::throughput);
  std::string table =
      "| load | Decree, 1/s | etcd, 1/s | ratios | median | p50, ms | p99, ms | CPU-µs of all nodes | of the "
      "echo ceiling |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const LoadRow& row : kLoadRows) {
    const auto both = [this, &row](double Measured::*figure, auto format) {
      return format(MedianOf(kDecree, row.ours, figure)) + " : " + format(MedianOf(kEtcd, row.theirs, figure));
    };
    const double ours = MedianOf(kDecree, row.ours, &Measured::throughput);
    const std::vector<double> ratios = Ratios(row.ours, row.theirs, &Measured::throughput);
    table +=
        StrCat("| ", row.title, " | ", Whole(ours), " | ", Whole(MedianOf(kEtcd, row.theirs, &Measured::throughput)),
               " | ", List(ratios), " | **", Ratio(Median(ratios)), "** | ", both(&Measured::p50_us, MillisecondsText),
               " | ", both(&Measured::p99_us, MillisecondsText), " | ", both(&Measured::cpu_us, Whole), " | ",
               ceiling > 0 ? Whole(100 * ours / ceiling) + " %" : "", " |\n");
  }
  return table +
         StrCat("\nThe echo ceiling, empty calls to a server that does nothing: ", Whole(ceiling), " a second.\n");
}

std::string Comparison::KillTable() const {
  std::string table =
      "| first write after kill -9 of the leader | times | median, ms | worst, ms |\n"
      "| --- | --- | --- | --- |\n";
  for (const char* const system : {kDecree, kEtcd}) {
    double worst = 0;
    for (const auto& [round, measured] : Of(system, kKill)) {
      worst = std::max(worst, measured.longest_gap_ms);
    }
    table += StrCat("| ", system, " | ", Of(system, kKill).size(), " | ",
                    Whole(MedianOf(system, kKill, &Measured::longest_gap_ms)), " | ", Whole(worst), " |\n");
  }
  return table;
}

std::string Comparison::MillionTable() const {
  if (million_keys_.empty()) return "";
  std::string table =
      "\n| with a million keys of 256 bytes | memory of the largest node, MiB | restart to the first read, ms |\n"
      "| --- | --- | --- |\n";
  for (const auto& [system, found] : million_keys_) {
    table += StrCat("| ", system, " | ", Whole(found.resident_mib), " | ", Whole(found.restart_ms), " |\n");
  }
  return table;
}

std::string Comparison::ToSvg() const {
  Chart throughput{.title = "operations a second, median of the rounds",
                   .series = {{kDecree, {}}, {kEtcd, {}}},
                   .labels = {},
                   .is_bars = true};
  Chart latency = throughput;
  latency.title = "p50, ms";
  for (const LoadRow& row : kLoadRows) {
    for (size_t i = 0; i < 2; ++i) {
      const std::string& system = throughput.series[i].name;
      const char* const load = i == 0 ? row.ours : row.theirs;
      throughput.series[i].values.push_back(MedianOf(system, load, &Measured::throughput));
      latency.series[i].values.push_back(MedianOf(system, load, &Measured::p50_us) / 1e3);
    }
    throughput.labels.push_back(row.ours);
    latency.labels.push_back(row.ours);
  }
  return bench::ToSvg({throughput, latency});
}

}  // namespace decree::bench
