#include "tests/sim/nemesis.h"

#include <algorithm>

namespace decree::sim {

Nemesis::Nemesis(World& world, Nodes& nodes, Random random)
    : world_(world), nodes_(nodes), random_(random) {}

const std::vector<Nemesis::Kind>& Nemesis::Kinds() {
  static const std::vector<Kind>& kinds = *new std::vector<Kind>{
      {"fault: power loss", &FaultKinds::power_loss, &Nemesis::PowerLoss},
      {"fault: kill", &FaultKinds::kill, &Nemesis::Kill},
      {"fault: crash at a write", &FaultKinds::crash_at_write, &Nemesis::CrashAtWrite},
      {"fault: failing sync", &FaultKinds::failing_sync, &Nemesis::FailingSync},
      {"fault: crash of all", &FaultKinds::crash_of_all, &Nemesis::CrashOfAll},
      {"fault: pause", &FaultKinds::pause, &Nemesis::Pause},
      {"fault: split", &FaultKinds::split, &Nemesis::Split},
      {"fault: cut between two", &FaultKinds::cut_pair, &Nemesis::CutPair},
      {"fault: cut one way", &FaultKinds::cut_one_way, &Nemesis::CutOneWay},
      {"fault: isolated leader", &FaultKinds::isolate_leader, &Nemesis::IsolateLeader},
      {"fault: slow disk", &FaultKinds::slow_disk, &Nemesis::SlowDisk},
      {"fault: transfer", &FaultKinds::transfer, &Nemesis::Transfer},
      {"fault: clock rate", &FaultKinds::clock_rate, &Nemesis::ClockRate},
  };
  return kinds;
}

std::vector<std::string> Nemesis::KindNames() {
  std::vector<std::string> names;
  for (const Kind& kind : Kinds()) names.push_back(kind.name);
  return names;
}

void Nemesis::Begin() {
  world_.network->SetFaults(world_.swarm.network);
  Next();
}

void Nemesis::Stop() {
  stopped_ = true;
  world_.network->Heal();
  world_.network->SetFaults(NetworkFaults());
  for (const auto& node : nodes_) node->StopFaults();
}

void Nemesis::Next() {
  world_.queue.After(random_.Between(Milliseconds(1), world_.swarm.fault_gap_max), [this] {
    if (stopped_) return;
    std::vector<const Kind*> enabled;
    for (const Kind& kind : Kinds()) {
      if (world_.swarm.faults.*kind.enabled) enabled.push_back(&kind);
    }
    if (enabled.empty()) return;
    const Kind& kind = *enabled[random_.Below(enabled.size())];
    world_.trace.Count(kind.name);
    world_.trace.Print([&](auto& out) { out << kind.name; });
    (this->*kind.strike)();
    Next();
  });
}

SimNode& Nemesis::AnyNode() { return *nodes_[random_.Below(nodes_.size())]; }

SimNode& Nemesis::Leader() {
  for (const auto& node : nodes_) {
    if (node->IsUp() && node->node().replica().role() == paxos::Role::kLeader) return *node;
  }
  return AnyNode();
}

// ---- Processes ----

void Nemesis::PowerLoss() {
  SimNode& node = LeaderOrAny();
  if (node.IsUp()) node.Die(Death::kPowerLoss);
}

void Nemesis::Kill() {
  SimNode& node = LeaderOrAny();
  if (node.IsUp()) node.Die(Death::kKilled);
}

void Nemesis::CrashAtWrite() { LeaderOrAny().CrashAtWrite(random_.Between(1, 30)); }

void Nemesis::FailingSync() { LeaderOrAny().FailNextSync(); }

void Nemesis::CrashOfAll() {
  for (const auto& node : nodes_) {
    if (node->IsUp()) node->Die(random_.Chance(0.7) ? Death::kPowerLoss : Death::kKilled);
  }
}

void Nemesis::Pause() {
  // From a hiccup to a minute, evenly in the exponent; long ones are cut short when faults end.
  Duration duration = Milliseconds(1);
  for (uint64_t doublings = random_.Below(17); doublings > 0; --doublings) duration *= 2;
  LeaderOrAny().Pause(std::min(duration, Seconds(60)));
}

// ---- Network ----

void Nemesis::CutBothWays(const SimNode& a, const SimNode& b) {
  world_.network->Cut(a.id(), b.id());
  world_.network->Cut(b.id(), a.id());
}

void Nemesis::HealLater() {
  world_.queue.After(random_.Between(Milliseconds(50), Seconds(5)),
                     [this] { world_.network->Heal(); });
}

void Nemesis::Split() {
  std::vector<bool> side;
  for (size_t i = 0; i < nodes_.size(); ++i) side.push_back(random_.Chance(0.5));
  for (size_t a = 0; a < nodes_.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      if (side[a] != side[b]) CutBothWays(*nodes_[a], *nodes_[b]);
    }
  }
  HealLater();
}

void Nemesis::CutPair() {
  CutBothWays(LeaderOrAny(), AnyNode());
  HealLater();
}

void Nemesis::CutOneWay() {
  const SimNode& node = LeaderOrAny();
  const bool outgoing = random_.Chance(0.5);
  const bool from_all = random_.Chance(0.5);
  const SimNode& chosen = AnyNode();
  for (const auto& other : nodes_) {
    if (!from_all && other.get() != &chosen) continue;
    outgoing ? world_.network->Cut(node.id(), other->id())
             : world_.network->Cut(other->id(), node.id());
  }
  HealLater();
}

void Nemesis::IsolateLeader() {
  const SimNode& leader = Leader();
  for (const auto& other : nodes_) CutBothWays(leader, *other);
  HealLater();
}

// ---- The rest ----

void Nemesis::SlowDisk() {
  SimNode& node = LeaderOrAny();
  const Duration usual = world_.swarm.sync_max;
  node.SetSyncTime(std::min<Duration>(usual * random_.Between(10, 1000), Seconds(5)));
  world_.queue.After(random_.Between(Milliseconds(100), Seconds(5)),
                     [&node, usual] { node.SetSyncTime(usual); });
}

void Nemesis::Transfer() {
  Leader().Do([](paxos::Node& node) { node.TransferLeadership(); });
}

void Nemesis::ClockRate() {
  const auto ppm_max = static_cast<uint64_t>(world_.swarm.clock_ppm_max);
  AnyNode().SetClockRate(static_cast<int64_t>(random_.Below(2 * ppm_max + 1)) -
                         world_.swarm.clock_ppm_max);
}

}  // namespace decree::sim
