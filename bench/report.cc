#include "bench/report.h"

#include <array>
#include <iomanip>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "bench/plot.h"

namespace decree::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<const char*, double>, 4> kPercentiles = {
    {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}}};

double Microseconds(Duration duration) { return static_cast<double>(duration.count()) / 1e3; }
double Per(double amount, uint64_t count) { return count == 0 ? 0 : amount / static_cast<double>(count); }
double Mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

Json LatencyJson(const Histogram& latency) {
  Json json{{"count", latency.count()}, {"mean", Microseconds(latency.mean())}};
  for (const auto& [name, percent] : kPercentiles) {
    json[name] = Microseconds(latency.Percentile(percent));
  }
  json["max"] = Microseconds(latency.max());
  return json;
}

void PrintLatency(std::string_view name, const Histogram& latency, std::ostream& out) {
  out << std::left << std::setw(12) << name << std::right << std::setw(11) << latency.count();
  for (const auto& [label, percent] : kPercentiles) {
    out << std::setw(10) << Microseconds(latency.Percentile(percent));
  }
  out << std::setw(11) << Microseconds(latency.max()) << '\n';
}

template <typename Print>
void ForEachKind(const LoadResult& result, const Print& print) {
  for (size_t i = 0; i < kKinds; ++i) {
    if (result.latency[i].count() > 0) print(KindName(static_cast<Kind>(i)), result.latency[i]);
  }
}

}  // namespace

double Report::throughput() const {
  return static_cast<double>(operations()) / (static_cast<double>(result.measured.count()) / 1e9);
}

uint64_t Report::payload_bytes() const {
  uint64_t writes = 0;
  for (const Kind kind : {Kind::kPut, Kind::kSwap, Kind::kModify, Kind::kInsert}) {
    writes += result.latency[static_cast<size_t>(kind)].count();
  }
  return (writes - result.swaps_lost) * (workload.key_bytes + workload.value_bytes);
}

std::optional<double> Report::write_amplification() const {
  if (!disk_bytes.has_value() || payload_bytes() == 0) return std::nullopt;
  return Per(static_cast<double>(*disk_bytes), payload_bytes());
}

void PrintTable(const Report& report, std::ostream& out) {
  const LoadResult& result = report.result;
  out << std::fixed << std::setprecision(0) << report.load << " on " << report.target << ": " << report.throughput()
      << " operations/s";
  if (report.options.rate > 0) out << " of " << report.options.rate << " due";
  out << ", " << report.options.in_flight << " in flight, " << report.channels << " channels\n\n"
      << "latency, us      count       p50       p90       p99     p99.9        max\n";
  ForEachKind(result, [&out](std::string_view kind, const Histogram& latency) { PrintLatency(kind, latency, out); });
  out << "\nlongest time without an answer: " << ToMilliseconds(result.longest_gap) << " ms\n";
  for (const auto& [code, times] : result.errors) out << "errors: " << times << " x " << code << '\n';
  if (!result.errors.empty()) out << "  the first: " << result.first_error << '\n';
  if (result.not_found > 0) out << "reads of a key that is not there: " << result.not_found << '\n';
  if (result.swaps_lost > 0) out << "swaps that another write came before: " << result.swaps_lost << '\n';
  if (report.processes.empty()) return;

  out << "\nper operation                  CPU, us   switches   resident, MiB\n";
  for (const ProcessShare& process : report.processes) {
    out << std::left << std::setw(28) << process.name << std::right << std::setprecision(1) << std::setw(10)
        << Per(Microseconds(process.used.cpu), report.operations()) << std::setprecision(2) << std::setw(11)
        << Per(static_cast<double>(process.used.switches), report.operations()) << std::setprecision(0) << std::setw(16)
        << Mebibytes(process.used.resident_bytes) << '\n';
  }
  if (const std::optional<double> amplification = report.write_amplification()) {
    out << "\nthe disks of this machine wrote " << std::setprecision(1) << *amplification
        << " bytes per byte of keys and values\n";
  }
}

std::string ToJson(const Report& report) {
  const LoadResult& result = report.result;
  Json json{{"target", report.target},
            {"load", report.load},
            {"in_flight", report.options.in_flight},
            {"rate", report.options.rate},
            {"channels", report.channels},
            {"keys", report.workload.keys},
            {"key_bytes", report.workload.key_bytes},
            {"value_bytes", report.workload.value_bytes},
            {"seconds", static_cast<double>(result.measured.count()) / 1e9},
            {"operations", report.operations()},
            {"throughput", report.throughput()},
            {"latency_us", LatencyJson(result.All())}};
  ForEachKind(result, [&json](std::string_view kind, const Histogram& latency) {
    json["by_kind"][std::string(kind)] = LatencyJson(latency);
  });
  json["longest_gap_ms"] = ToMilliseconds(result.longest_gap);
  json["errors"] = Json::object();
  for (const auto& [code, times] : result.errors) json["errors"][code] = times;
  if (!result.errors.empty()) json["first_error"] = result.first_error;
  json["not_found"] = result.not_found;
  json["swaps_lost"] = result.swaps_lost;
  json["processes"] = Json::array();
  for (const ProcessShare& process : report.processes) {
    json["processes"].push_back(
        {{"name", process.name},
         {"cpu_us_per_operation", Per(Microseconds(process.used.cpu), report.operations())},
         {"switches_per_operation", Per(static_cast<double>(process.used.switches), report.operations())},
         {"resident_mib", Mebibytes(process.used.resident_bytes)}});
  }
  if (const std::optional<double> amplification = report.write_amplification()) {
    json["disk_bytes_per_payload_byte"] = *amplification;
  }
  json["over_time"] = Json::array();
  for (const Second& second : result.seconds) {
    json["over_time"].push_back({{"done", second.done},
                                 {"errors", second.errors},
                                 {"p50_us", Microseconds(second.p50)},
                                 {"p99_us", Microseconds(second.p99)},
                                 {"max_us", Microseconds(second.max)}});
  }
  return json.dump(2) + "\n";
}

std::string PlotOverTime(const Report& report) {
  Chart throughput{.title = StrCat(report.load, " on ", report.target, ": operations in each second"),
                   .series = {{"done", {}}, {"errors", {}}}};
  Chart latency{.title = "latency, ms, by second", .series = {{"p50", {}}, {"p99", {}}, {"max", {}}}};
  for (const Second& second : report.result.seconds) {
    throughput.series[0].values.push_back(static_cast<double>(second.done));
    throughput.series[1].values.push_back(static_cast<double>(second.errors));
    latency.series[0].values.push_back(Microseconds(second.p50) / 1e3);
    latency.series[1].values.push_back(Microseconds(second.p99) / 1e3);
    latency.series[2].values.push_back(Microseconds(second.max) / 1e3);
  }
  return ToSvg({throughput, latency});
}

}  // namespace decree::bench
