#include "rpc/cli/status.h"

#include <unistd.h>

#include <algorithm>
#include <future>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace decree::rpc::cli {
namespace {

using nlohmann::json;

struct NodeAnswer {
  std::string endpoint;
  StatusOr<v1::NodeStatusResponse> status;
};

std::vector<NodeAnswer> AskAll(Client& client) {
  const std::vector<std::string>& endpoints = client.options().endpoints;
  std::vector<std::future<StatusOr<v1::NodeStatusResponse>>> pending;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    auto promise = std::make_shared<std::promise<StatusOr<v1::NodeStatusResponse>>>();
    pending.push_back(promise->get_future());
    client.NodeStatus(i, [promise](StatusOr<v1::NodeStatusResponse> status) { promise->set_value(std::move(status)); });
  }
  std::vector<NodeAnswer> answers;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    answers.push_back({.endpoint = endpoints[i], .status = pending[i].get()});
  }
  return answers;
}

uint64_t NewestChosen(const std::vector<NodeAnswer>& answers) {
  uint64_t newest = 0;
  for (const NodeAnswer& answer : answers) {
    if (answer.status.ok()) newest = std::max(newest, answer.status->chosen_index());
  }
  return newest;
}

// Slots that the node has not applied, of those that another is known to have chosen.
uint64_t LagOf(const v1::NodeStatusResponse& status, uint64_t newest_chosen) {
  return newest_chosen - std::min(newest_chosen, status.applied_index());
}

std::string NameOf(const v1::NodeStatusResponse& status) { return StrCat("n", status.node()); }

// ---- What is wrong ----

void AddDivergence(const std::vector<NodeAnswer>& answers, std::vector<std::string>& problems) {
  for (size_t i = 0; i < answers.size(); ++i) {
    for (size_t j = i + 1; j < answers.size(); ++j) {
      if (!answers[i].status.ok() || !answers[j].status.ok()) continue;
      const v1::NodeStatusResponse& a = *answers[i].status;
      const v1::NodeStatusResponse& b = *answers[j].status;
      if (a.cluster() != b.cluster() || a.applied_index() != b.applied_index()) continue;
      if (a.store_epoch() != b.store_epoch() || a.digest() == b.digest()) continue;
      problems.push_back(StrCat(NameOf(a), " and ", NameOf(b), " have both applied slot ", a.applied_index(),
                                " and hold different states; stop writing, and "
                                "compare their data"));
    }
  }
}

// None of those that have answered leads.
std::string WhyNoLeader(const std::vector<NodeAnswer>& answers) {
  std::set<uint32_t> present;
  std::set<uint32_t> followed;
  for (const NodeAnswer& answer : answers) {
    if (!answer.status.ok()) continue;
    present.insert(answer.status->node());
    if (answer.status->leader() != 0) followed.insert(answer.status->leader());
  }
  for (const uint32_t leader : followed) {
    if (!present.contains(leader))
      return StrCat("n", leader, ", which the others follow, was not asked or has not answered");
  }
  return "none of these nodes leads; without a leader there are no writes, and no reads but stale ones";
}

std::vector<std::string> ProblemsOf(const std::vector<NodeAnswer>& answers) {
  std::vector<std::string> problems;
  bool has_leader = false;
  bool has_other_cluster = false;
  const v1::NodeStatusResponse* first = nullptr;
  for (const NodeAnswer& answer : answers) {
    if (!answer.status.ok()) continue;
    const v1::NodeStatusResponse& status = *answer.status;
    if (first == nullptr) first = &status;
    has_leader |= status.role() == "leader";
    has_other_cluster |= status.cluster() != first->cluster();
    for (const std::string& problem : status.problems()) {
      problems.push_back(StrCat(NameOf(status), ": ", problem));
    }
  }
  if (first != nullptr && !has_leader) problems.push_back(WhyNoLeader(answers));
  if (has_other_cluster) problems.push_back("the endpoints are of more than one cluster");
  AddDivergence(answers, problems);
  return problems;
}

// ---- For people ----

std::string Bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 10 << 10 && unit + 1 < std::size(kUnits); ++unit) bytes >>= 10;
  return StrCat(bytes, " ", kUnits[unit]);
}

std::string Uptime(uint64_t ms) {
  const uint64_t seconds = ms / 1000;
  if (seconds < 60) return StrCat(seconds, "s");
  if (seconds < 3600) return StrCat(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86'400) return StrCat(seconds / 3600, "h", seconds / 60 % 60, "m");
  return StrCat(seconds / 86'400, "d", seconds / 3600 % 24, "h");
}

using Row = std::vector<std::string>;

const Row kHeading = {"ENDPOINT", "NODE",     "ROLE",  "LEADER", "BALLOT", "LEASE", "CHOSEN",  "APPLIED",
                      "LAG",      "REVISION", "PEERS", "LOG",    "STORE",  "FREE",  "VERSION", "UPTIME"};

Row RowOf(const NodeAnswer& answer, uint64_t newest_chosen) {
  const v1::NodeStatusResponse& status = *answer.status;
  return {answer.endpoint,
          NameOf(status),
          status.role(),
          status.leader() == 0 ? "none" : StrCat("n", status.leader()),
          StrCat(status.ballot_round(), ".", status.ballot_node()),
          status.lease_state(),
          StrCat(status.chosen_index()),
          StrCat(status.applied_index()),
          StrCat(LagOf(status, newest_chosen)),
          StrCat(status.revision()),
          StrCat(status.peers_connected(), "/", status.members_size() - 1),
          Bytes(status.log_bytes()),
          Bytes(status.store_bytes()),
          Bytes(status.disk_free_bytes()),
          status.version(),
          Uptime(status.uptime_ms())};
}

void PrintTable(const std::vector<NodeAnswer>& answers) {
  const uint64_t newest_chosen = NewestChosen(answers);
  std::vector<Row> rows{kHeading};
  for (const NodeAnswer& answer : answers) {
    if (answer.status.ok()) {
      rows.push_back(RowOf(answer, newest_chosen));
    } else {
      rows.push_back({answer.endpoint, std::string(answer.status.status().message())});
    }
  }
  std::vector<size_t> widths(kHeading.size());
  for (const Row& row : rows) {
    // A reason may be of any length, and does not widen its column.
    const size_t cells = row.size() == widths.size() ? row.size() : 1;
    for (size_t i = 0; i < cells; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::cout << line << '\n';
  }
  for (const std::string& problem : ProblemsOf(answers)) std::cout << "problem: " << problem << '\n';
}

// ---- For programs ----

json ToJson(const v1::NodeStatusResponse& status, uint64_t newest_chosen) {
  json members = json::array();
  for (const v1::Member& member : status.members()) {
    members.push_back({{"node", member.id()},
                       {"peer_address", member.peer_address()},
                       {"client_address", member.client_address()},
                       {"voter", member.voter()}});
  }
  return {{"cluster", status.cluster()},
          {"node", status.node()},
          {"version", status.version()},
          {"role", status.role()},
          {"leader", status.leader()},
          {"ballot", StrCat(status.ballot_round(), ".", status.ballot_node())},
          {"chosen_index", status.chosen_index()},
          {"applied_index", status.applied_index()},
          {"lag", LagOf(status, newest_chosen)},
          {"revision", status.revision()},
          {"store_epoch", status.store_epoch()},
          {"digest", StrCat(absl::Hex(status.digest(), absl::kZeroPad16))},
          {"log_bytes", status.log_bytes()},
          {"store_bytes", status.store_bytes()},
          {"disk_free_bytes", status.disk_free_bytes()},
          {"sessions",
           {{"open", status.sessions()},
            {"max", status.sessions_max()},
            {"ended_for_others", status.sessions_ended_for_others()}}},
          {"clients",
           {{"connections", status.client_connections()},
            {"connections_max", status.client_connections_max()},
            {"calls", status.client_calls()},
            {"calls_max", status.client_calls_max()}}},
          {"members", members},
          {"quorums", {{"q1", status.q1()}, {"q2", status.q2()}}},
          {"peers_connected", status.peers_connected()},
          {"lease", status.lease_state()},
          {"lease_left_ms", status.lease_left_ms()},
          {"lease_ms", status.lease_ms()},
          {"reads",
           {{"under_lease", status.reads_under_lease()},
            {"by_round", status.reads_by_round()},
            {"at_leaders_index", status.reads_at_leaders_index()},
            {"stale", status.reads_stale()}}},
          {"uptime_ms", status.uptime_ms()},
          {"problems", std::vector<std::string>(status.problems().begin(), status.problems().end())}};
}

void PrintJson(const std::vector<NodeAnswer>& answers) {
  const uint64_t newest_chosen = NewestChosen(answers);
  json rows = json::array();
  for (const NodeAnswer& answer : answers) {
    json row;
    if (answer.status.ok()) {
      row = ToJson(*answer.status, newest_chosen);
    } else {
      row["error"] = std::string(answer.status.status().message());
    }
    row["endpoint"] = answer.endpoint;
    rows.push_back(std::move(row));
  }
  std::cout << rows.dump() << '\n';
}

}  // namespace

int Status(Client& client, const Output& output, std::optional<Duration> watch) {
  while (true) {
    const std::vector<NodeAnswer> answers = AskAll(client);
    // Clears the screen and begins at its top.
    if (watch.has_value() && !output.json && isatty(STDOUT_FILENO) != 0) std::cout << "\033[H\033[2J";
    output.json ? PrintJson(answers) : PrintTable(answers);
    std::cout.flush();
    if (!watch.has_value()) {
      const bool is_known =
          std::any_of(answers.begin(), answers.end(), [](const NodeAnswer& answer) { return answer.status.ok(); });
      return is_known ? kDone : kFailed;
    }
    // The reader of the output has gone.
    if (!std::cout) return kDone;
    std::this_thread::sleep_for(*watch);
  }
}

}  // namespace decree::rpc::cli
