// decree-bench: puts a cluster under load and tells how it did.

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>
#include <CLI/CLI.hpp>

#include "bench/disk_usage.h"
#include "bench/load.h"
#include "bench/process_usage.h"
#include "bench/report.h"
#include "bench/target.h"
#include "bench/workload.h"
#include "rpc/client/client.h"
#include "rpc/loop/grpc_process.h"

namespace decree::bench {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  decree-bench --load put --in-flight 64\n"
    "  decree-bench --load get --preload --read stale --duration 30\n"
    "  decree-bench --load ycsb-a --preload --keys 1000000 --plot ycsb-a.svg\n"
    "  decree-bench --mix put=50,get=50 --rate 5000 --json > mixed.json\n"
    "  decree-bench --target etcd --endpoints 127.0.0.1:2379 --load put";
constexpr Duration kConnectTimeout = Seconds(10);

struct Arguments {
  std::string target = "decree";
  TargetOptions target_options{.endpoints = {"127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"}};
  std::string load = "put";
  std::string mix;
  std::string distribution;
  bool is_stale = false;
  bool preload = false;
  bool preload_only = false;
  double timeout_seconds = 5;
  double warm_up_seconds = 2;
  double duration_seconds = 10;
  bool is_json = false;
  std::string plot;
  WorkloadOptions workload;
  LoadOptions options;
};

Duration FromSeconds(double seconds) { return Duration(static_cast<int64_t>(seconds * 1e9)); }

void AddOptions(CLI::App& app, Arguments& arguments) {
  app.footer(kFooter);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--target", arguments.target, "What to put under load: decree, etcd or echo")
      ->check(CLI::IsMember({"decree", "etcd", "echo"}))
      ->capture_default_str();
  app.add_option("--endpoints", arguments.target_options.endpoints, "HOST:PORT of each node")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--load", arguments.load,
                 "put, get, stale-get, swap, modify (a read and a swap), insert (new keys), mixed, or "
                 "YCSB's ycsb-a, -b, -c, -d, -f")
      ->capture_default_str();
  app.add_option("--mix", arguments.mix, "Shares of kinds in place of a load, such as put=50,get=50");
  const std::map<std::string, bool> reads{{"linearizable", false}, {"stale", true}};
  app.add_option("--read", arguments.is_stale, "How gets read: linearizable, or stale at any node")
      ->transform(CLI::CheckedTransformer(reads));
  app.add_option("--distribution", arguments.distribution, "How keys are chosen; default: as the load says")
      ->check(CLI::IsMember({"uniform", "zipfian", "latest"}));
  app.add_option("--keys", arguments.workload.keys, "How many keys there are")->capture_default_str();
  app.add_option("--key-size", arguments.workload.key_bytes, "Bytes")->capture_default_str();
  app.add_option("--value-size", arguments.workload.value_bytes, "Bytes")->capture_default_str();
  app.add_flag("--preload", arguments.preload, "Writes every key first");
  app.add_flag("--preload-only", arguments.preload_only, "Writes every key, and ends");
  app.add_option("--in-flight", arguments.options.in_flight,
                 "How many requests to have without an answer: always so many, or with --rate at most")
      ->capture_default_str();
  app.add_option("--rate", arguments.options.rate, "Requests a second, due at random times; latency counts from then");
  app.add_flag("--unary", arguments.target_options.unary,
               "Decree only: makes a unary call for each request, as clients without pipelines do");
  app.add_option("--channels", arguments.target_options.channels, "Connections to each endpoint")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  const CLI::Range seconds(0.0, 86'400.0);
  app.add_option("--warm-up", arguments.warm_up_seconds, "Seconds that are not measured")
      ->check(seconds)
      ->capture_default_str();
  app.add_option("--duration", arguments.duration_seconds, "Seconds that are measured")
      ->check(seconds)
      ->capture_default_str();
  app.add_option("--timeout", arguments.timeout_seconds, "Seconds that a request may take")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  app.add_option("--seed", arguments.options.seed, "Of the requests' sequence")->capture_default_str();
  app.add_flag("--json", arguments.is_json, "Prints the result for programs");
  app.add_option("--plot", arguments.plot, "Writes throughput and latency over time to this SVG file");
}

Status Complete(Arguments& arguments) {
  WorkloadOptions& workload = arguments.workload;
  RETURN_IF_ERROR(arguments.mix.empty() ? workload.SetLoad(arguments.load) : workload.SetMix(arguments.mix));
  if (!arguments.mix.empty()) arguments.load = arguments.mix;
  if (arguments.is_stale) {
    double& gets = workload.shares[static_cast<size_t>(Kind::kGet)];
    workload.shares[static_cast<size_t>(Kind::kStaleGet)] += std::exchange(gets, 0);
    arguments.load += ", stale reads";
  }
  const std::map<std::string, Keys> distributions{
      {"uniform", Keys::kUniform}, {"zipfian", Keys::kZipfian}, {"latest", Keys::kLatest}};
  if (!arguments.distribution.empty()) {
    workload.distribution = distributions.at(arguments.distribution);
  }
  RETURN_IF_ERROR(workload.Validate());
  double led = 0;
  for (const Kind kind : {Kind::kPut, Kind::kGet, Kind::kSwap, Kind::kModify, Kind::kInsert}) {
    led += workload.shares[static_cast<size_t>(kind)];
  }
  arguments.target_options.needs_leader = led > 0 || arguments.preload || arguments.preload_only;
  arguments.target_options.timeout = FromSeconds(arguments.timeout_seconds);
  arguments.options.warm_up = FromSeconds(arguments.warm_up_seconds);
  arguments.options.duration = FromSeconds(arguments.duration_seconds);
  const rpc::ClientOptions client{.endpoints = arguments.target_options.endpoints};
  RETURN_IF_ERROR(client.Validate());
  return arguments.options.Validate();
}

std::unique_ptr<Target> MakeTarget(const Arguments& arguments) {
  if (arguments.target == "etcd") return MakeEtcdTarget(arguments.target_options);
  if (arguments.target == "echo") return MakeEchoTarget(arguments.target_options);
  return MakeDecreeTarget(arguments.target_options);
}

// ---- While it runs ----

bool IsLoopback(std::string_view host) { return host == "localhost" || host == "[::1]" || host.substr(0, 4) == "127."; }

// What the client and, by their loopback addresses, the servers on this machine use of it.
class MachineUsage {
 public:
  explicit MachineUsage(const std::vector<std::string>& endpoints) {
    processes_.push_back({.name = "client", .pid = getpid(), .before = {}});
    for (const std::string& endpoint : endpoints) {
      const size_t colon = endpoint.rfind(':');
      if (!IsLoopback(endpoint.substr(0, colon))) continue;  // may be another machine
      uint16_t port = 0;
      std::from_chars(endpoint.data() + colon + 1, endpoint.data() + endpoint.size(), port);
      const std::optional<pid_t> pid = ListenerOn(port);
      if (pid) processes_.push_back({ProcessName(*pid) + " " + endpoint, *pid, {}});
    }
  }

  void Begin() {
    for (Process& process : processes_) {
      const auto usage = UsageOf(process.pid);
      if (usage.ok()) process.before = *usage;
    }
    disk_bytes_before_ = DiskBytesWritten();
  }

  void End() {
    shares = SharesSinceBegin();
    const std::optional<uint64_t> now = DiskBytesWritten();
    if (HasServer() && now && disk_bytes_before_ && *now >= *disk_bytes_before_) {
      disk_bytes = *now - *disk_bytes_before_;
    }
  }

  // The processor time and the bytes on disk used between Begin and End.
  std::vector<ProcessShare> shares;
  std::optional<uint64_t> disk_bytes;

 private:
  struct Process {
    std::string name;
    pid_t pid;
    std::optional<ProcessUsage> before;
  };

  bool HasServer() const { return processes_.size() > 1; }

  // A process that has ended is left out.
  std::vector<ProcessShare> SharesSinceBegin() const {
    std::vector<ProcessShare> since;
    for (const Process& process : processes_) {
      const auto now = UsageOf(process.pid);
      if (!now.ok() || !process.before) continue;
      const ProcessUsage& before = *process.before;
      since.push_back({.name = process.name,
                       .used = {.cpu = now->cpu - before.cpu,
                                .resident_bytes = now->resident_bytes,
                                .switches = now->switches - std::min(now->switches, before.switches)}});
    }
    return since;
  }

  std::vector<Process> processes_;
  std::optional<uint64_t> disk_bytes_before_;
};

// A line that is written over, on a terminal only.
class LiveLine final : public LoadObserver {
 public:
  explicit LiveLine(MachineUsage& machine) : machine_(machine) {}

  void OnPreloaded(uint64_t written, uint64_t keys) override {
    if (!is_terminal_) return;
    constexpr uint64_t kWidth = 40;
    const auto done = static_cast<size_t>(written * kWidth / keys);
    std::cerr << "\rpreload [" << std::string(done, '#') << std::string(kWidth - done, ' ') << "] " << written << " of "
              << keys << " keys" << (written == keys ? "\n" : "") << std::flush;
  }

  void OnMeasuringBegins() override {
    machine_.Begin();
    seconds_ = 0;
    is_measuring_ = true;
  }

  void OnMeasuringEnds() override {
    machine_.End();
    if (is_terminal_) std::cerr << '\n';
  }

  void OnSecond(const Second& second) override {
    if (!is_terminal_) return;
    std::cerr << "\r\033[K" << (is_measuring_ ? "measuring" : "warming up") << ", second " << ++seconds_ << ": "
              << second.done << " done, p50 " << ToMilliseconds(second.p50) << " ms, p99 " << ToMilliseconds(second.p99)
              << " ms";
    if (second.errors > 0) std::cerr << ", " << second.errors << " errors";
    std::cerr << std::flush;
  }

 private:
  MachineUsage& machine_;
  const bool is_terminal_ = isatty(STDERR_FILENO) == 1;
  int seconds_ = 0;
  bool is_measuring_ = false;
};

int Fail(const Status& status) {
  std::cerr << "decree-bench: " << status.message() << '\n';
  return 1;
}

int Run(Arguments& arguments) {
  const std::unique_ptr<Target> target = MakeTarget(arguments);
  if (const Status connected = target->Connect(kConnectTimeout); !connected.ok()) {
    return Fail(connected);
  }
  MachineUsage machine(arguments.target_options.endpoints);
  LiveLine live(machine);
  Workload workload(arguments.workload, arguments.options.seed);
  Load load(*target, workload, arguments.options, live);
  if (arguments.preload || arguments.preload_only) {
    if (const Status loaded = load.Preload(); !loaded.ok()) return Fail(loaded);
    if (arguments.preload_only) return 0;
  }
  Report report{.target = arguments.target,
                .load = arguments.load,
                .options = arguments.options,
                .workload = arguments.workload,
                .channels = arguments.target_options.channels,
                .result = load.Run(),
                .processes = {},
                .disk_bytes = {}};
  report.processes = std::move(machine.shares);
  report.disk_bytes = machine.disk_bytes;
  if (arguments.is_json) {
    std::cout << ToJson(report);
  } else {
    PrintTable(report, std::cout);
  }
  if (!arguments.plot.empty()) {
    std::ofstream file(arguments.plot);
    file << PlotOverTime(report);
    if (!file.flush()) return Fail(absl::UnknownError("cannot write " + arguments.plot));
  }
  // A run in which nothing worked has failed.
  return report.operations() > 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  rpc::SetUpGrpc();
  Arguments arguments;
  CLI::App app("Puts a Decree cluster, or one of etcd, under load and reports throughput and latency.");
  AddOptions(app, arguments);
  CLI11_PARSE(app, argc, argv);
  if (const Status complete = Complete(arguments); !complete.ok()) {
    std::cerr << "decree-bench: " << complete.message() << '\n';
    return 2;
  }
  return Run(arguments);
}

}  // namespace
}  // namespace decree::bench

int main(int argc, char** argv) { return decree::bench::Main(argc, argv); }
