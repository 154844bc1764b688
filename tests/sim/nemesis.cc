#include "tests/sim/nemesis.h"

#include <algorithm>

namespace decree::sim {
namespace {

std::string CountedName(Fault fault) { return "fault: " + std::string(FaultName(fault)); }

}  // namespace

Nemesis::Nemesis(World& world, Nodes& nodes, Random random)
    : world_(world), nodes_(nodes), random_(random), late_random_(random.Fork()) {}

const std::vector<Nemesis::Stroke>& Nemesis::Strokes() {
  static const std::vector<Stroke>& strokes = *new std::vector<Stroke>{
      {Fault::kPowerLoss, &Nemesis::PowerLoss},
      {Fault::kKill, &Nemesis::Kill},
      {Fault::kCrashAtWrite, &Nemesis::CrashAtWrite},
      {Fault::kFailingDisk, &Nemesis::FailingDisk},
      {Fault::kCrashOfAll, &Nemesis::CrashOfAll},
      {Fault::kPause, &Nemesis::Pause},
      {Fault::kSplit, &Nemesis::Split},
      {Fault::kCutPair, &Nemesis::CutPair},
      {Fault::kCutOneWay, &Nemesis::CutOneWay},
      {Fault::kIsolateLeader, &Nemesis::IsolateLeader},
      {Fault::kRestartGranters, &Nemesis::RestartGranters},
      {Fault::kSlowDisk, &Nemesis::SlowDisk},
      {Fault::kTransfer, &Nemesis::Transfer},
      {Fault::kClockRate, &Nemesis::ClockRate},
      {Fault::kClockJump, &Nemesis::ClockJump},
      {Fault::kNewDisk, &Nemesis::NewDisk},
  };
  return strokes;
}

std::vector<std::string> Nemesis::CountedNames() {
  std::vector<std::string> names{CountedName(Fault::kIsolateNewLeader), CountedName(Fault::kDyingSource),
                                 CountedName(Fault::kSlowLinks), CountedName(Fault::kSlowKinds)};
  for (const Stroke& stroke : Strokes()) names.push_back(CountedName(stroke.fault));
  return names;
}

void Nemesis::Note(Fault fault) {
  const std::string name = CountedName(fault);
  world_.trace.Count(name);
  world_.trace.Print([&](auto& out) { out << name; });
}

void Nemesis::Begin() {
  stopped_ = false;
  world_.network->SetFaults(world_.swarm.network);
  Next();
}

void Nemesis::Stop() {
  stopped_ = true;
  world_.network->Heal();
  world_.network->HoldUpLeaders(paxos::kNoNode, paxos::kNoNode, Duration::zero());
  world_.network->SetFaults(NetworkFaults());
  for (const auto& node : nodes_) node->StopFaults();
}

void Nemesis::Next() {
  world_.queue.After(random_.Between(Milliseconds(1), world_.swarm.fault_gap_max), [this] {
    if (stopped_) return;
    std::vector<const Stroke*> enabled;
    for (const Stroke& stroke : Strokes()) {
      if (world_.swarm.faults.Has(stroke.fault)) enabled.push_back(&stroke);
    }
    if (enabled.empty()) return;
    const Stroke& stroke = *enabled[random_.Below(enabled.size())];
    Note(stroke.fault);
    (this->*stroke.strike)();
    Next();
  });
}

// One node is alone while the others go on. Then the leader reaches it, and nobody else: it alone hears what was
// chosen last, and the leader dies.
Duration Nemesis::BeginLastAct() {
  stopped_ = true;
  world_.network->Heal();
  SimNode& leader = Leader();
  SimNode& lagging = AnyNode();
  const paxos::Configuration& founding = world_.swarm.founding;
  // Without one of them a cluster cannot begin.
  const bool have_begun = std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->IsUp() && node->node().replica().has_begun();
  });
  if (&leader == &lagging || !have_begun || has_replaced_disk_ || !world_.swarm.faults.Has(Fault::kDyingSource) ||
      nodes_.size() - 1 < std::max(founding.q1, founding.q2)) {
    return Duration::zero();
  }
  Note(Fault::kDyingSource);
  for (const auto& other : nodes_) CutBothWays(lagging, *other);
  const Duration heartbeat = world_.swarm.options.heartbeat;
  const Duration alone = random_.Between(Milliseconds(500), Seconds(4));
  const Duration heard = random_.Between(heartbeat, 2 * heartbeat);
  world_.queue.After(alone, [this, &lagging, heard] {
    SimNode& source = Leader();  // There may be another by now.
    for (const auto& other : nodes_) world_.network->Cut(source.id(), other->id());
    world_.network->Mend(source.id(), lagging.id());
    world_.network->Mend(lagging.id(), source.id());
    world_.queue.After(heard, [this, &source] {
      source.Leave();
      world_.network->Heal();
    });
  });
  return alone + heard + Milliseconds(1);
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

void Nemesis::FailingDisk() { LeaderOrAny().FailDiskAfter(random_.Between(1, 10)); }

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

// A node loses its disk and is formatted anew under its old id, which it may not be (rule 10). The others
// must be able to go on without it, and one at most is lost.
void Nemesis::NewDisk() {
  const paxos::Configuration& founding = world_.swarm.founding;
  if (has_replaced_disk_ || nodes_.size() - 1 < std::max(founding.q1, founding.q2)) return;
  has_replaced_disk_ = true;
  LeaderOrAny().ReplaceDisk();
}

// ---- Network ----

void Nemesis::CutBothWays(const SimNode& a, const SimNode& b) {
  world_.network->Cut(a.id(), b.id());
  world_.network->Cut(b.id(), a.id());
}

void Nemesis::HealLater() {
  world_.queue.After(random_.Between(Milliseconds(50), Seconds(5)), [this] { world_.network->Heal(); });
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
    outgoing ? world_.network->Cut(node.id(), other->id()) : world_.network->Cut(other->id(), node.id());
  }
  HealLater();
}

void Nemesis::IsolateLeader() { IsolateLeaderNow(Leader()); }

void Nemesis::IsolateLeaderNow(const SimNode& leader) {
  for (const auto& other : nodes_) CutBothWays(leader, *other);
  HealLater();
}

// What it proposes meanwhile, others do not hear of; they have other values chosen, which the late node learns
// without a promise to whoever leads them.
void Nemesis::LetAcceptsComeLate(const SimNode& leader) {
  const SimNode& late = *nodes_[late_random_.Below(nodes_.size())];
  const paxos::Configuration& founding = world_.swarm.founding;
  if (&late == &leader || nodes_.size() < std::max(founding.q1, founding.q2) + 2) return;
  Note(Fault::kLateAccept);
  const Duration duration = late_random_.Between(Seconds(2), Seconds(8));
  world_.network->HoldUpLeaders(late.id(), leader.id(), duration);
  for (const auto& other : nodes_) {
    if (other.get() != &late) CutBothWays(leader, *other);
  }
  world_.queue.After(duration, [this] { world_.network->Heal(); });
}

void Nemesis::OnNewLeader(const SimNode& leader) {
  if (!stopped_ && world_.swarm.faults.Has(Fault::kLateAccept) && late_random_.Chance(0.5)) {
    // Once it proposes what is new, and not only what it has found.
    world_.queue.After(late_random_.Between(Duration(0), Seconds(1)), [this, &leader] {
      if (!stopped_ && &Leader() == &leader) LetAcceptsComeLate(leader);
    });
  }
  // It may have heard no answer yet, and holds no lease.
  if (stopped_ || !world_.swarm.faults.Has(Fault::kIsolateNewLeader) || random_.Chance(0.5)) return;
  world_.queue.After(random_.Between(Duration(0), world_.swarm.options.heartbeat), [this, &leader] {
    if (stopped_) return;
    Note(Fault::kIsolateNewLeader);
    IsolateLeaderNow(leader);
  });
}

// One node is kept from the leader until it wants to lead itself; then those that have granted the
// leader its lease restart, out of its reach.
void Nemesis::RestartGranters() {
  const SimNode& leader = Leader();
  const SimNode& contender = AnyNode();
  if (&leader == &contender) return;
  CutBothWays(leader, contender);
  const Duration timeout = world_.swarm.options.election_timeout_max;
  world_.queue.After(random_.Between(timeout, 2 * timeout), [this, &leader, &contender] {
    if (stopped_) return;
    for (const auto& node : nodes_) {
      if (node.get() == &leader || node.get() == &contender || !node->IsUp()) continue;
      CutBothWays(leader, *node);
      node->DieBriefly();
    }
    HealLater();
  });
}

// ---- The rest ----

void Nemesis::SlowDisk() {
  SimNode& node = LeaderOrAny();
  const Duration usual = world_.swarm.sync_max;
  node.SetSyncTime(std::min<Duration>(usual * random_.Between(10, 1000), Seconds(5)));
  world_.queue.After(random_.Between(Milliseconds(100), Seconds(5)), [&node, usual] { node.SetSyncTime(usual); });
}

void Nemesis::Transfer() {
  const paxos::NodeId heir = random_.Chance(0.5) ? paxos::kNoNode : AnyNode().id();
  Leader().Do([heir](paxos::Node& node) { node.TransferLeadership(heir); });
}

void Nemesis::ClockRate() {
  const auto ppm_max = static_cast<uint64_t>(world_.swarm.clock_ppm_max);
  // Often at the edge.
  const uint64_t gain = random_.Chance(0.5) ? random_.Below(2 * ppm_max + 1) : random_.Chance(0.5) ? 0 : 2 * ppm_max;
  AnyNode().SetClockRate(static_cast<int64_t>(gain) - world_.swarm.clock_ppm_max);
}

void Nemesis::ClockJump() {
  const Duration longest = world_.swarm.clock_jump_max;
  AnyNode().LeapClock(random_.Chance(0.5) ? longest : random_.Between(Duration(0), longest));
}

}  // namespace decree::sim
