#include "tests/sim/simulation.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "tests/sim/nemesis.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_node.h"
#include "tests/support/linearizability.h"

namespace decree::sim {
namespace {

using paxos::Slot;

// Some hundred times what a run takes.
constexpr uint64_t kStepsMax = 20'000'000;

class Simulation {
 public:
  explicit Simulation(const RunOptions& options)
      : options_(options),
        random_(options.seed * 2 + options.nodes),
        world_(options.trace, !options.clocks_beyond_margin) {
    world_.swarm = Swarm::Draw(options.seed, random_, options.nodes, options.faults, options.clocks_beyond_margin);
    world_.network = std::make_unique<Network>(
        world_.queue, world_.trace, random_.Fork(),
        [this](const paxos::Envelope& envelope) { nodes_[envelope.to.value() - 1]->Receive(envelope); });
    world_.network->SetLinks(world_.swarm.links);
    if (world_.swarm.links.bytes_per_second > 0) world_.trace.Count("fault: slow-links");
    for (uint32_t id = 1; id <= options.nodes; ++id) {
      nodes_.push_back(std::make_unique<SimNode>(world_, paxos::NodeId(id), random_.Fork()));
    }
    nemesis_ = std::make_unique<Nemesis>(world_, nodes_, random_.Fork());
    world_.on_new_leader = [this](const SimNode& leader) { nemesis_->OnNewLeader(leader); };
    for (uint32_t id = 1; id <= world_.swarm.clients; ++id) {
      const bool uses_sessions = random_.Chance(world_.swarm.session_share);
      clients_.push_back(std::make_unique<SimClient>(world_, nodes_, seen_, id, uses_sessions, random_.Fork()));
    }
    last_client_ = std::make_unique<SimClient>(world_, nodes_, seen_, world_.swarm.clients + 1,
                                               /*uses_sessions=*/false, random_.Fork());
  }

  RunResult Run() {
    for (const auto& node : nodes_) {
      const auto ppm_max = static_cast<uint64_t>(world_.swarm.clock_ppm_max);
      node->SetClockRate(static_cast<int64_t>(random_.Below(2 * ppm_max + 1)) - world_.swarm.clock_ppm_max);
      node->Boot();
    }
    for (const auto& client : clients_) client->Begin();
    world_.queue.After(world_.swarm.calm_before, [this] { nemesis_->Begin(); });
    RunUntil(Instant(world_.swarm.calm_before + options_.faulty));
    RunUntil(world_.queue.now() + nemesis_->BeginLastAct());

    nemesis_->Stop();
    for (const auto& client : clients_) client->Stop();
    if (HasBegun()) ExpectEverything();
    return {.hash = world_.trace.hash(),
            .virtual_time = world_.queue.now().time_since_epoch(),
            .chosen = world_.oracle.chosen(),
            .operations = world_.history.size(),
            .counts = world_.trace.counts()};
  }

 private:
  void ExpectEverything() {
    ExpectProgress();
    ExpectCatchUp();
    ReadEverything();
    ExpectAgreement();
    ExpectCounts();
    const check::Verdict verdict = check::CheckHistory(world_.history);
    CHECK(verdict.ok) << "history: " << verdict.problem;
  }

  // The cluster has begun or does so now. It never does if a node was formatted anew after some had heard
  // it and before all had; then the nodes must say so.
  bool HasBegun() {
    const auto has_begun = [this] {
      return std::any_of(nodes_.begin(), nodes_.end(),
                         [](const auto& node) { return node->IsUp() && node->node().replica().has_begun(); });
    };
    if (RunUntil(has_begun, Seconds(120))) return true;
    world_.trace.Count("never begun");
    CHECK(nemesis_->has_replaced_disk()) << "rule 10: the members do not meet; " << Describe();
    bool is_told = false;
    for (const auto& node : nodes_) {
      is_told |= !node->node().replica().meeting().Obstacles().empty();
    }
    CHECK(is_told) << "rule 10: nobody says why the cluster does not begin; " << Describe();
    return false;
  }

  // It was formatted anew and can never take part again.
  bool IsLost(const SimNode& node) const { return world_.oracle.roster().at(node.id()) != node.incarnation(); }

  // A seed that comes to no end, while its time stands still, is a finding too.
  void Step() {
    CHECK_LT(++steps_, kStepsMax) << "too many events; " << Describe();
    world_.queue.Step();
  }

  void RunUntil(Instant end) {
    while (!world_.queue.empty() && world_.queue.next() <= end) Step();
  }

  // Goes on until the condition holds; whether it came to hold in time.
  template <typename Condition>
  bool RunUntil(Condition condition, Duration limit) {
    const Instant end = world_.queue.now() + limit;
    while (!condition()) {
      if (world_.queue.empty() || world_.queue.next() > end) return false;
      Step();
    }
    return true;
  }

  // Without faults a write must go through within ten election timeouts, counted from when every
  // process is at work again, and the time for what a node lacks that may be needed.
  void ExpectProgress() {
    AwaitAllReady();
    bool written = false;
    last_client_->WriteAtLast("last", [&] { written = true; });
    const Duration limit = 10 * world_.swarm.options.election_timeout_max + Seconds(2) +
                           LinkTime(2 * LagOfTheLast().bytes + world_.swarm.links.queue_bytes_max);
    CHECK(RunUntil([&] { return written; }, limit))
        << "no write goes through after the faults have stopped; " << Describe();
    for (const auto& node : nodes_) {
      if (node->IsAway()) node->Return();
    }
    AwaitAllReady();
  }

  // All that are to be there.
  void AwaitAllReady() {
    const auto all_ready = [this] {
      return std::all_of(nodes_.begin(), nodes_.end(),
                         [](const auto& node) { return node->IsAway() || node->IsReady(); });
    };
    CHECK(RunUntil(all_ready, Seconds(120))) << "a process does not come up; " << Describe();
  }

  // How long a link takes for so much; zero if it has no limit.
  Duration LinkTime(uint64_t bytes) const {
    const uint64_t rate = world_.swarm.links.bytes_per_second;
    return rate == 0 ? Duration::zero() : Milliseconds(static_cast<int64_t>(bytes * 1000 / rate));
  }

  // How far the last node is behind the first; of those that are up and can take part.
  struct Lag {
    Slot goal;
    uint64_t bytes = 0;
  };
  Lag LagOfTheLast() const {
    Lag lag;
    Slot least = Slot::Max();
    for (const auto& node : nodes_) {
      if (IsLost(*node) || !node->IsUp()) continue;
      lag.goal = std::max(lag.goal, node->node().replica().chosen_index());
      least = std::min(least, node->node().replica().chosen_index());
    }
    if (least < lag.goal) lag.bytes = world_.oracle.BytesBetween(least, lag.goal);
    return lag;
  }

  // What a node lacks comes about as fast as the links allow.
  void ExpectCatchUp() {
    if (world_.swarm.links.bytes_per_second == 0) return;
    const auto [goal, lacking] = LagOfTheLast();
    if (LinkTime(lacking) > Seconds(1)) world_.trace.Count("much to catch up on slow links");
    const auto is_there = [&] {
      return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
        return IsLost(*node) || node->node().replica().chosen_index() >= goal;
      });
    };
    const Duration limit = 10 * world_.swarm.options.election_timeout_max + Seconds(2) +
                           LinkTime(3 * lacking + world_.swarm.links.queue_bytes_max);
    CHECK(RunUntil(is_there, limit)) << "catching up takes too long: bytes=" << lacking << Describe();
  }

  // The state that all that happened has led to, key by key.
  void ReadEverything() {
    const auto quiet = [this] {
      for (const auto& client : clients_) {
        if (!client->IsQuiet()) return false;
      }
      return true;
    };
    CHECK(RunUntil(quiet, Seconds(30))) << "an operation does not end; " << Describe();
    std::set<std::string> keys;
    for (const check::Operation& operation : world_.history) keys.insert(operation.key);
    size_t waiting = keys.size();
    for (const std::string& key : keys) last_client_->ReadAtLast(key, [&] { --waiting; });
    CHECK(RunUntil([&] { return waiting == 0; }, Seconds(30))) << "a read does not end; " << Describe();
  }

  // What was only ever counted up by one: each acknowledged time counts once, and what is not known
  // once at most.
  void ExpectCounts() const {
    for (const std::string_view key : {kCountedByPuts, kCountedBySwaps}) {
      uint64_t acknowledged = 0;
      uint64_t unknown = 0;
      uint64_t count = 0;
      for (const check::Operation& operation : world_.history) {
        if (operation.key != key) continue;
        if (operation.IsWrite() && operation.ending == check::Ending::kUnknown) ++unknown;
        if (operation.IsWrite() && operation.IsAnswered() && operation.changed) ++acknowledged;
        if (operation.IsWrite() || !operation.IsAnswered() || !operation.cell.has_value()) continue;
        count = std::max<uint64_t>(
            count, key == kCountedByPuts ? operation.cell->version : std::stoull(operation.cell->value));
      }
      CHECK_GE(count, acknowledged) << "sessions: an acknowledged increment is lost: " << key;
      CHECK_LE(count, acknowledged + unknown) << "sessions: an increment counts twice: " << key;
    }
  }

  void ExpectAgreement() {
    const auto equal = [this] {
      const SimNode* first = nullptr;
      for (const auto& node : nodes_) {
        if (IsLost(*node)) continue;
        if (first == nullptr) first = node.get();
        if (node->node().replica().applied() != first->node().replica().applied()) return false;
        if (node->digest() != first->digest()) return false;
      }
      return true;
    };
    CHECK(RunUntil(equal, Seconds(60))) << "the nodes do not become equal; " << Describe();
  }

  std::string Describe() const {
    std::ostringstream text;
    for (const auto& node : nodes_) {
      text << "\n  n" << node->id() << ": ";
      if (!node->IsUp()) {
        text << "down";
        continue;
      }
      const paxos::Replica& replica = node->node().replica();
      text << RoleName(replica.role()) << " follows=n" << replica.leader() << " ballot=" << replica.ballot()
           << " promised=" << replica.promised() << " chosen_index=" << replica.chosen_index()
           << " applied=" << replica.applied();
    }
    return text.str();
  }

  const RunOptions options_;
  uint64_t steps_ = 0;
  Random random_;
  World world_;
  Nodes nodes_;
  std::unique_ptr<Nemesis> nemesis_;
  SeenCells seen_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::unique_ptr<SimClient> last_client_;
};

}  // namespace

RunResult RunSimulation(const RunOptions& options) { return Simulation(options).Run(); }

}  // namespace decree::sim
