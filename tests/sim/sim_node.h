#pragma once
// One node of the simulated cluster: a machine with a disk and a clock that last, and a process on
// it, a real `paxos::Node` with a real log and a real state machine, that comes and goes.
//
// The process does one thing at a time. What its syncs take is time in which its inputs wait.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "paxos/base/random.h"
#include "paxos/node/node.h"
#include "tests/sim/network.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_machine.h"
#include "tests/sim/swarm.h"
#include "tests/sim/timed_file_system.h"
#include "tests/sim/trace.h"
#include "tests/support/history.h"

namespace decree::sim {

class SimNode;

// What all nodes and clients share.
struct World {
  EventQueue queue;
  Trace trace;
  Swarm swarm;
  std::unique_ptr<Network> network;
  Oracle oracle;
  check::History history;
  // Called when a node has begun to lead.
  std::function<void(const SimNode& leader)> on_new_leader = [](const SimNode&) {};

  World(bool prints, bool checks_leases) : trace(queue, prints), oracle(queue, checks_leases) {}
};

class SimNode final : private paxos::Transport {
 public:
  using Input = std::function<void(paxos::Node&)>;

  SimNode(World& world, paxos::NodeId id, Random random);

  // ---- The process ----

  // Starts the process and keeps it running from then on: when it dies, it starts again later.
  void Boot();
  void Die(Death death) { DieFor(death, restart_max_); }
  // It starts again at once.
  void DieBriefly() { DieFor(Death::kKilled, Milliseconds(2)); }
  // It dies, and stays away until it returns.
  void Leave();
  void Return();
  bool IsAway() const { return is_away_; }
  // It dies, and starts again on a new disk that is formatted anew.
  void ReplaceDisk();
  // The number of this formatting of the disk.
  paxos::Incarnation incarnation() const { return incarnation_; }
  // It does nothing for so long; its inputs wait.
  void Pause(Duration duration);
  bool IsUp() const { return process_ != nullptr; }
  // Up, and not held up by a slow disk or a pause.
  bool IsReady() const { return IsUp() && busy_until_ <= world_.queue.now(); }
  const paxos::Node& node() const { return *process_->node; }
  // The number of this process: another one for each life of each node.
  uint64_t life() const;

  // ---- Inputs; lost if the process is down ----

  void Receive(const paxos::Envelope& envelope);
  void Do(Input input);
  // What the state machine holds now. Only while the process is up.
  KeyReading ReadKey(const std::string& key) const { return process_->machine->ReadKey(key); }
  // The answer of the state machine, now, as a client gets it. Only while the process is up.
  WriteAnswer ReadAnswer(const std::string& bytes) const { return process_->machine->ReadAnswer(bytes); }
  uint64_t digest() const { return process_->machine->digest(); }

  // ---- Faults ----

  // The process dies at the `writes`-th write from now.
  void CrashAtWrite(uint64_t writes) { disk_.CrashAfter(writes); }
  // The process dies at the `operations`-th write or sync from now, which fails: the disk answers EIO,
  // and what was to be synced may never get there.
  void FailDiskAfter(uint64_t operations) { disk_fails_after_ = operations; }
  void SetSyncTime(Duration longest) { sync_max_ = longest; }
  void SetClockRate(int64_t ppm);
  // Not more than once in every lease: leaps would add up.
  void LeapClock(Duration ahead);
  // No death is sudden any more.
  void StopFaults();

  const NodeClock& clock() const { return clock_; }
  paxos::NodeId id() const { return id_; }

 private:
  struct Process {
    std::unique_ptr<paxos::SegmentLog> log;
    std::unique_ptr<SimMachine> machine;
    std::unique_ptr<paxos::Node> node;
  };

  void Send(paxos::Envelope envelope) override;

  void Format();
  void BootAfter(Duration delay);
  void StartProcess();
  void TakeTurn();
  void FinishStep();
  // Sees to it that TakeTurn is called then, or earlier.
  void WakeAt(Instant when);
  void WakeForDeadline();
  bool OnDiskOperation(TimedFileSystem::Operation operation);
  void DieFor(Death death, Duration away_max);
  // Does it as soon as the process's clock has not been read for a time that is still to come.
  void AtRest(std::function<void()> action);
  void OnClockChanged();
  void NoteLease(Time local_now);
  void NoteRole();

  World& world_;
  const paxos::NodeId id_;
  Random random_;
  NodeClock clock_;
  SimDisk disk_;
  TimedFileSystem files_;
  paxos::Incarnation incarnation_;

  std::unique_ptr<Process> process_;  // null while it is down
  std::deque<Input> inbox_;
  Instant worked_until_;  // its clock has been read for times up to here
  Instant busy_until_;    // at work or paused
  Instant wake_at_ = Instant::max();
  Duration restart_max_;
  Duration sync_max_;
  uint64_t disk_fails_after_ = 0;  // 0: never
  bool is_away_ = false;
  Instant leaps_after_;
  paxos::Role last_role_ = paxos::Role::kFollower;
};

}  // namespace decree::sim
