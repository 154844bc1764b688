#include "rpc/options/server_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iostream>
#include <set>
#include <utility>

#include <CLI/CLI.hpp>

#include "kv/command.h"
#include "rpc/channel_arguments.h"
#include "rpc/options/layered_options.h"
#include "rpc/version.h"

namespace decree::rpc {
namespace {

// What a command holds beside its key and values, generously.
constexpr size_t kCommandOverheadBytes = 1024;
// What a message holds beside its largest entry: a page of others, and the fields around them.
constexpr size_t kMessageOverheadBytes = 2 << 20;
constexpr uint64_t kBatchBytesLimit = 8 << 20;
// A compare-and-swap holds two values.
constexpr size_t kCommandBytesMax = 2 * kv::kValueBytesMax + kv::kKeyBytesMax + kCommandOverheadBytes;
static_assert(kCommandBytesMax + kMessageOverheadBytes <= kMessageBytesMax);
static_assert(kBatchBytesLimit + kMessageOverheadBytes <= kMessageBytesMax);

constexpr char kFooter[] =
    "Every option may also be given in the environment, such as DECREED_HEARTBEAT_MS=100, or in the\n"
    "file of --config, such as heartbeat-ms = 100. A flag overrides the environment, and the\n"
    "environment overrides the file.";

// A whole number from `low` to `high`.
CLI::Validator Between(int64_t low, int64_t high) {
  const std::string range = StrCat(low, " to ", high);
  return CLI::Validator(
      [low, high, range](const std::string& text) -> std::string {
        int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size()) {
          return StrCat("\"", text, "\" is not a whole number; allowed is ", range);
        }
        if (value < low || value > high) return StrCat(text, " is not allowed; allowed is ", range);
        return {};
      },
      range);
}

CLI::Validator OneOf(std::set<std::string> allowed) {
  std::string list;
  for (const std::string& name : allowed) list += (list.empty() ? "" : ", ") + name;
  return CLI::Validator(
      [allowed = std::move(allowed), list](const std::string& text) -> std::string {
        if (allowed.count(text) > 0) return {};
        return StrCat("\"", text, "\" is not allowed; allowed is one of: ", list);
      },
      list);
}

bool ParsePort(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

// Empty if `text` is HOST:PORT, else what is wrong.
std::string AddressError(const std::string& text) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  if (colon == std::string::npos || colon == 0 || !ParsePort(text.substr(colon + 1), port)) {
    return StrCat("\"", text, "\" is not an address; allowed is HOST:PORT");
  }
  return {};
}

CLI::Validator Address() { return CLI::Validator(AddressError, "HOST:PORT"); }

void AddIdentityOptions(LayeredOptions& all, ServerOptions& options) {
  all.Add("data", options.data, "The data directory, formatted by `decreed init`");
  all.Add("cluster", options.cluster, "The cluster that the data directory must belong to");
  all.Add("node", options.node, "The node that the data directory must belong to")->check(Between(1, UINT32_MAX));
  all.Add("listen-client", options.listen_client,
          "Where clients are served; default: this node's client address in the configuration")
      ->check(Address());
  all.Add("listen-peer", options.listen_peer,
          "Where peers are served; default: this node's peer address in the configuration")
      ->check(Address());
}

void AddProtocolOptions(LayeredOptions& all, ServerOptions& options) {
  all.AddMilliseconds("heartbeat-ms", options.core.heartbeat, "How often a leader sends heartbeats, in milliseconds")
      ->check(Between(10, 10'000));
  all.AddMilliseconds("election-timeout-min-ms", options.core.election_timeout_min,
                      "A follower that hears nothing from a leader for a random time between this...")
      ->check(Between(50, 60'000));
  all.AddMilliseconds(
         "election-timeout-max-ms", options.core.election_timeout_max,
         "...and this stands for election. The smaller one must be at least two heartbeats, and the cluster's lease")
      ->check(Between(50, 120'000));
  all.AddSwitch("lease", options.core.uses_lease,
                "on: as leader, serves reads without a message while it holds its lease; off: each takes a round "
                "of messages. For machines whose clocks may stand still, such as guests that are frozen. Leases "
                "are granted to other leaders all the same");
}

void AddLimitOptions(LayeredOptions& all, ServerOptions& options) {
  all.Add("batch-bytes-max", options.core.batch_bytes_max, "How many bytes of commands may share a slot of the log")
      ->check(Between(1024, kBatchBytesLimit));
  all.Add("slots-in-flight-max", options.core.slots_in_flight_max,
          "How many slots may be proposed and not yet chosen; 1 makes the largest batches")
      ->check(Between(1, 1024));
  all.Add("pending-bytes-max", options.core.pending_bytes_max, "How many bytes of requests may be without an answer")
      ->check(Between(1 << 20, int64_t{1} << 40));
  all.Add("requests-max", options.requests_max, "How many requests may be without an answer")
      ->check(Between(1, 1'000'000));
  all.Add("connections-max", options.connections_max,
          "How many connections clients may have; fewer, if the process may not have so many files open")
      ->check(Between(1, 1'000'000));
  all.Add("client-connections-max", options.client_connections_max, "How many of them may come from one address")
      ->check(Between(1, 1'000'000));
  all.AddMebibytes("memory-mib", options.memory_bytes_max,
                   "Memory for all but the caches below, in MiB. When no more than 128 of it are left, connections "
                   "are reset")
      ->check(Between(256, 1 << 20));
}

void AddStorageOptions(LayeredOptions& all, ServerOptions& options) {
  all.AddMebibytes("segment-mib", options.log.segment_bytes, "Size of one segment of the log, in MiB")
      ->check(Between(16, 4096));
  all.AddMebibytes(
         "key-index-mib", options.memory.key_index_bytes,
         "Memory for keys and their counters, in MiB; a put of a key that has no room in it looks it up on disk. "
         "With keys of 24 bytes each MiB has room for 25,000")
      ->check(Between(1, 4095));
  all.AddMebibytes("record-cache-mib", options.memory.record_cache_bytes,
                   "Memory for the values of the keys that were read last, in MiB")
      ->check(Between(1, 1 << 20));
  all.AddMebibytes("block-cache-mib", options.store.block_cache_bytes,
                   "LevelDB's cache of blocks, in MiB; what is read again comes from the record cache first")
      ->check(Between(1, 1 << 20));
  all.Add("open-files-max", options.store.open_files_max, "How many files LevelDB may keep open")
      ->check(Between(64, 1'000'000));
}

void AddLoggingOptions(LayeredOptions& all, ServerOptions& options) {
  all.Add("log-level", options.log_level, "The least severe messages to log")
      ->check(OneOf({"info", "warning", "error"}));
  all.Add("log-verbosity", options.log_verbosity,
          "0: none; 1: also a line for what happens to each ballot; 2: also one for each message")
      ->check(Between(0, 2));
  all.Add("log-dir", options.log_dir, "Where log files go; default: standard error");
}

void AddServe(CLI::App& app) {
  CLI::App* const serve = app.add_subcommand("serve", "Runs the node whose data directory is --data");
  serve->fallthrough();
  serve->footer(
      "Examples:\n"
      "  decreed serve --data /var/lib/decree\n"
      "  DECREED_DATA=/var/lib/decree decreed serve --log-level warning\n"
      "  decreed serve --config /etc/decree/decreed.toml\n"
      "  decreed serve --print-config > decreed.toml");
}

CLI::App* AddInit(CLI::App& app, InitOptions& options) {
  CLI::App* const init =
      app.add_subcommand("init",
                         "Formats a data directory for one node of a new cluster; needs --data, --cluster and "
                         "--node. Members, quorums and lease must be the same on all nodes.");
  init->fallthrough();
  const auto add = [init](const char* name, auto& value, const char* what) {
    return init->add_option(name, value, what)->capture_default_str();
  };
  init->footer(
      "Example, the first of three nodes:\n"
      "  decreed init --data /var/lib/decree --cluster prod --node 1 \\\n"
      "    --member 1=10.0.0.1:7101,10.0.0.1:7001 \\\n"
      "    --member 2=10.0.0.2:7101,10.0.0.2:7001 \\\n"
      "    --member 3=10.0.0.3:7101,10.0.0.3:7001");
  add("--member", options.members, "One for each node: ID=PEERHOST:PORT,CLIENTHOST:PORT")->required();
  add("--q1", options.q1, "Size of a phase-1 quorum; default: a majority")->check(Between(1, 64));
  add("--q2", options.q2, "Size of a phase-2 quorum; default: a majority")->check(Between(1, 64));
  add("--lease-ms", options.lease_ms,
      "How long a leader may serve reads alone, in milliseconds; at most the smallest election timeout; 0: no leases")
      ->check(Between(0, 60'000));
  add("--drift-ppm", options.drift_ppm, "How much the rates of two nodes' clocks may differ, in parts per million")
      ->check(Between(0, 400'000));
  return init;
}

StatusOr<paxos::Member> ParseMember(const std::string& text) {
  const auto wrong = [&text](const std::string& why) {
    return absl::InvalidArgumentError(
        StrCat("--member: \"", text, "\": ", why, "; allowed is ID=PEERHOST:PORT,CLIENTHOST:PORT"));
  };
  const size_t equals = text.find('=');
  const size_t comma = text.find(',', equals == std::string::npos ? 0 : equals);
  if (equals == std::string::npos || comma == std::string::npos) {
    return wrong("a part is missing");
  }
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + equals, id);
  if (error != std::errc() || end != text.data() + equals || id == 0) {
    return wrong("the id is not a number from 1");
  }
  paxos::Member member{.id = paxos::NodeId(id),
                       .incarnation = {},
                       .voter = true,
                       .peer_address = text.substr(equals + 1, comma - equals - 1),
                       .client_address = text.substr(comma + 1)};
  for (const std::string& address : {member.peer_address, member.client_address}) {
    if (const std::string why = AddressError(address); !why.empty()) return wrong(why);
  }
  return member;
}

}  // namespace

// ---- Server ----

paxos::Options ServerOptions::CoreDefaults() {
  paxos::Options options;
  options.command_bytes_max = kCommandBytesMax;
  return options;
}

Status ServerOptions::Validate() const {
  const auto wrong = [](const auto&... parts) { return absl::InvalidArgumentError(StrCat(parts...)); };
  if (core.election_timeout_min < 2 * core.heartbeat) {
    return wrong("--election-timeout-min-ms: ", ToMilliseconds(core.election_timeout_min),
                 " is not allowed with --heartbeat-ms ", ToMilliseconds(core.heartbeat), "; allowed is ",
                 ToMilliseconds(2 * core.heartbeat), " or more");
  }
  if (core.election_timeout_max < core.election_timeout_min) {
    return wrong("--election-timeout-max-ms: ", ToMilliseconds(core.election_timeout_max),
                 " is not allowed with --election-timeout-min-ms ", ToMilliseconds(core.election_timeout_min),
                 "; allowed is ", ToMilliseconds(core.election_timeout_min), " or more");
  }
  const uint64_t largest = std::max(core.batch_bytes_max, core.command_bytes_max);
  if (core.pending_bytes_max < largest) {
    return wrong("--pending-bytes-max: ", core.pending_bytes_max, " is not allowed with --batch-bytes-max ",
                 core.batch_bytes_max, "; allowed is ", largest, ", the largest batch, or more");
  }
  if (log.segment_bytes < 2 * largest) {
    return wrong("--segment-mib: ", log.segment_bytes >> 20, " is not allowed with --batch-bytes-max ",
                 core.batch_bytes_max, "; allowed is ", (2 * largest >> 20) + 1, " or more");
  }
  return core.Validate();
}

Admission::Limits ServerOptions::AdmissionLimits() const {
  return {.requests_max = requests_max, .bytes_max = core.pending_bytes_max};
}

size_t ServerOptions::MemoryMax() const {
  const size_t caches = memory.key_index_bytes + memory.record_cache_bytes + store.block_cache_bytes;
  const size_t more_pending =
      core.pending_bytes_max - std::min(core.pending_bytes_max, CoreDefaults().pending_bytes_max);
  return memory_bytes_max + caches + more_pending;
}

// ---- Init ----

StatusOr<paxos::Configuration> InitOptions::FoundingConfiguration() const {
  paxos::Configuration configuration;
  for (const std::string& text : members) {
    ASSIGN_OR_RETURN(paxos::Member member, ParseMember(text));
    configuration.members.push_back(std::move(member));
  }
  std::sort(configuration.members.begin(), configuration.members.end(),
            [](const paxos::Member& a, const paxos::Member& b) { return a.id < b.id; });
  const uint32_t majority = paxos::MajorityOf(configuration.VoterCount());
  configuration.q1 = q1 == 0 ? majority : q1;
  configuration.q2 = q2 == 0 ? majority : q2;
  configuration.lease = Milliseconds(lease_ms);
  configuration.drift_ppm = drift_ppm;
  RETURN_IF_ERROR(configuration.Validate());
  // The simulator tests no other numbers.
  constexpr std::array<size_t, 5> kClusterSizes = {1, 3, 4, 5, 7};
  if (std::find(kClusterSizes.begin(), kClusterSizes.end(), configuration.members.size()) == kClusterSizes.end()) {
    return absl::InvalidArgumentError(StrCat("--member: a cluster has 1, 3, 4, 5 or 7 members, not ",
                                             configuration.members.size(), "; 3 outlive the loss of one, 5 of two"));
  }
  return configuration;
}

// ---- Command line ----

CommandLine ParseCommandLine(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CommandLine line;
  CLI::App app("A node of Decree, a replicated key-value store", "decreed");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string(kVersion));
  LayeredOptions all(app, "DECREED_");
  bool print_config = false;
  app.add_flag("--print-config", print_config, "Prints the options in effect, as a file for --config, and exits");
  AddIdentityOptions(all, line.server);
  AddProtocolOptions(all, line.server);
  AddLimitOptions(all, line.server);
  AddStorageOptions(all, line.server);
  AddLoggingOptions(all, line.server);
  AddServe(app);
  const CLI::App* const init = AddInit(app, line.init);

  if (const std::optional<int> exit_code = all.Parse(arguments, out, err)) {
    line.exit_code = *exit_code;
    return line;
  }
  const auto refuse = [&](std::string_view why) {
    line.exit_code = all.Refuse(why, err);
    return line;
  };
  if (const Status status = line.server.Validate(); !status.ok()) return refuse(std::string(status.message()));
  if (print_config) {
    out << all.ToToml();
    return line;
  }
  if (line.server.data.empty()) return refuse("--data must be given, the data directory");
  if (init->parsed() && (line.server.cluster.empty() || line.server.node == 0)) {
    return refuse("init needs --cluster and --node");
  }
  line.action = init->parsed() ? CommandLine::Action::kInit : CommandLine::Action::kRun;
  return line;
}

}  // namespace decree::rpc
