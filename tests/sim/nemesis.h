#pragma once
// Makes things go wrong, in the kinds that the run's swarm has switched on, until told to stop.

#include <functional>
#include <string>
#include <vector>

#include "paxos/base/random.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_node.h"

namespace decree::sim {

class Nemesis {
 public:
  // References must outlive it.
  Nemesis(World& world, Nodes& nodes, Random random);

  void Begin();
  // No fault begins any more, and all that lasted ends.
  void Stop();

  // Ends the faults with a node that lags and a source that dies, if the swarm has it. How long that takes;
  // Stop comes after it.
  Duration BeginLastAct();

  // A node has just begun to lead.
  void OnNewLeader(const SimNode& leader);

  // A node was formatted anew.
  bool has_replaced_disk() const { return has_replaced_disk_; }

  // The names under which the trace counts the faults.
  static std::vector<std::string> CountedNames();

 private:
  struct Stroke {
    Fault fault;
    void (Nemesis::*strike)();
  };
  static const std::vector<Stroke>& Strokes();

  void Next();

  void PowerLoss();
  void Kill();
  void CrashAtWrite();
  void FailingDisk();
  void CrashOfAll();
  void Pause();
  void Split();
  void CutPair();
  void CutOneWay();
  void IsolateLeader();
  void SlowDisk();
  void Transfer();
  void ClockRate();
  void ClockJump();
  void RestartGranters();
  void NewDisk();

  void Note(Fault fault);
  SimNode& AnyNode();
  // A node that leads, if there is one; else any.
  SimNode& Leader();
  SimNode& LeaderOrAny() { return random_.Chance(0.5) ? Leader() : AnyNode(); }
  void CutBothWays(const SimNode& a, const SimNode& b);
  void HealLater();
  void IsolateLeaderNow(const SimNode& leader);
  void LetAcceptsComeLate(const SimNode& leader);

  World& world_;
  Nodes& nodes_;
  Random random_;
  Random late_random_;  // of its own, so that what the others draw stays as it was
  bool stopped_ = true;
  bool has_replaced_disk_ = false;
};

}  // namespace decree::sim
