#pragma once
// A few replicas in one process, with a network that delivers what the test lets through and disks
// that are instantaneous unless the test holds them.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "paxos/core/invariants.h"
#include "paxos/core/replica.h"
#include "tests/support/replica_disk.h"
#include "tests/unit/paxos/core/core_fixture.h"

namespace decree::paxos {

// For `passes`: no message is lost.
inline auto Everything() {
  return [](const Envelope&) { return true; };
}

class ReplicaCluster {
 public:
  explicit ReplicaCluster(uint32_t count, Configuration configuration = {}, Options options = {}) : options_(options) {
    if (configuration.members.empty()) configuration = Voters(count);
    for (uint32_t i = 1; i <= count; ++i) {
      nodes_[i].disk = check::ReplicaDisk(configuration);
      nodes_[i].incarnation = Self(i).incarnation;
      Start(i);
    }
  }

  Replica& replica(uint32_t node) { return *nodes_.at(node).replica; }
  Time now() const { return now_; }

  // Messages for which this is false are lost.
  std::function<bool(const Envelope&)> passes = [](const Envelope&) { return true; };
  // Disks of these nodes complete nothing for now.
  std::set<uint32_t> stuck_disks;

  void Propose(uint32_t node, const std::string& text) {
    std::string command = text;
    results_[text] = replica(node).Propose(ProposalId(++ids_), std::move(command), kTimeNever);
    Run(node, [](Replica&, Output&) {});
  }
  ProposeResult ResultOf(const std::string& text) const { return results_.at(text); }
  TransferResult Transfer(uint32_t node, NodeId heir) {
    TransferResult result = TransferResult::kNotLeader;
    Run(node, [&](Replica& replica, Output& out) { result = replica.TransferLeadership(heir, now_, out); });
    return result;
  }
  void Read(uint32_t node, uint64_t id) {
    Run(node, [&](Replica& replica, Output& out) { replica.Read(ReadId(id), now_, out); });
  }

  // Lets time pass in small steps, delivering everything.
  void Pass(Duration duration) {
    for (const Time end = now_ + duration; now_ < end;) {
      now_ += Milliseconds(5);
      for (auto& [id, node] : nodes_) {
        if (node.replica == nullptr) continue;
        if (node.replica->NextDeadline() <= now_) {
          Run(id, [&](Replica& replica, Output& out) { replica.OnTick(now_, out); });
        }
      }
      Deliver();
    }
  }
  // Passes time until this node leads; false if it never does.
  bool Elect(uint32_t node, Duration limit = Seconds(20)) {
    for (const Time end = now_ + limit; now_ < end; Pass(Milliseconds(10))) {
      if (nodes_[node].replica->role() == Role::kLeader) return true;
    }
    return false;
  }
  uint32_t ElectAny(Duration limit = Seconds(20)) {
    for (const Time end = now_ + limit; now_ < end; Pass(Milliseconds(10))) {
      for (auto& [id, node] : nodes_) {
        if (node.replica != nullptr && node.replica->role() == Role::kLeader) return id;
      }
    }
    return 0;
  }

  // Loses the process; what was durable stays.
  void Crash(uint32_t node) { nodes_.at(node).replica.reset(); }
  void Restart(uint32_t node) { Start(node); }
  // Loses the disk too, and comes back formatted anew under its old id.
  void Wipe(uint32_t id) {
    Node& node = nodes_.at(id);
    node.disk = check::ReplicaDisk(node.disk.founding());
    node.incarnation = Incarnation(node.incarnation.value() + 1000);
    Start(id);
  }

  // Puts a message before a node as if the network had carried it.
  Output Inject(uint32_t to, Envelope envelope) {
    Output seen;
    Run(to, [&](Replica& replica, Output& out) {
      replica.OnMessage(envelope, now_, out);
      seen = out;
    });
    return seen;
  }
  void Deliver() {
    while (!network_.empty()) {
      Envelope envelope = std::move(network_.front());
      network_.pop_front();
      const auto to = nodes_.find(envelope.to.value());
      if (to == nodes_.end() || to->second.replica == nullptr || !passes(envelope)) continue;
      Run(envelope.to.value(), [&](Replica& replica, Output& out) { replica.OnMessage(envelope, now_, out); });
    }
  }
  // Completes what a stuck disk was given.
  void CompleteDisk(uint32_t node) {
    Node& it = nodes_.at(node);
    for (const RecordBatch& batch : std::exchange(it.unsynced, {})) it.disk.Persist(batch);
    Run(node, [&](Replica& replica, Output& out) {
      if (!it.last_ticket.IsZero()) replica.OnDurable(it.last_ticket, now_, out);
    });
  }

  // What a node has applied, in order; no-ops are "-" and configurations "#".
  std::vector<std::string> Applied(uint32_t node) const { return nodes_.at(node).applied; }
  const std::vector<ReadGrant>& Granted(uint32_t node) const { return nodes_.at(node).granted; }
  const std::vector<RefusedRead>& Refused(uint32_t node) const { return nodes_.at(node).refused; }
  const std::vector<Placement>& Placements(uint32_t node) const { return nodes_.at(node).placements; }
  // Every message sent since the start.
  const std::vector<Envelope>& trace() const { return trace_; }
  void ClearTrace() { trace_.clear(); }

 private:
  struct Node {
    std::unique_ptr<Replica> replica;
    check::ReplicaDisk disk;
    Incarnation incarnation;
    std::vector<RecordBatch> unsynced;
    Ticket last_ticket;
    std::vector<std::string> applied;
    std::vector<ReadGrant> granted;
    std::vector<RefusedRead> refused;
    std::vector<Placement> placements;
  };

  void Start(uint32_t id) {
    Node& node = nodes_.at(id);
    node.unsynced.clear();
    node.applied.clear();
    node.last_ticket = Ticket();
    Identity self = Self(id);
    self.incarnation = node.incarnation;
    self.life = Life(++lives_);
    // The state machine is in memory, so all is applied again.
    const RecoveredState recovered = node.disk.Recover(kNoSlot);
    CHECK(FirstMeeting::Check(self, recovered).ok());
    node.replica = std::make_unique<Replica>(options_, self, recovered, Random(id + lives_), now_);
  }

  template <typename Input>
  void Run(uint32_t id, Input input) {
    Node& node = nodes_.at(id);
    Output out;
    input(*node.replica, out);
    node.replica->Flush(now_, out);
    while (Carry(id, node, std::exchange(out, {}), out)) node.replica->Flush(now_, out);
    CheckInvariants(*node.replica, now_);
  }

  // False if there was nothing to do.
  bool Carry(uint32_t id, Node& node, Output todo, Output& out) {
    for (const Envelope& envelope : todo.messages) {
      trace_.push_back(envelope);
      network_.push_back(envelope);
    }
    for (const RecordBatch& batch : todo.records) {
      node.last_ticket = batch.ticket;
      if (stuck_disks.contains(id)) {
        node.unsynced.push_back(batch);
        continue;
      }
      node.disk.Persist(batch);
      node.replica->OnDurable(batch.ticket, now_, out);
    }
    for (const ChosenEntry& chosen : todo.entries) {
      node.applied.push_back(Text(*chosen.entry));
      node.replica->OnApplied(chosen.slot, now_, out);
    }
    node.granted.insert(node.granted.end(), todo.reads.begin(), todo.reads.end());
    node.refused.insert(node.refused.end(), todo.refused_reads.begin(), todo.refused_reads.end());
    node.placements.insert(node.placements.end(), todo.placements.begin(), todo.placements.end());
    return !todo.messages.empty() || !todo.records.empty() || !todo.entries.empty();
  }

  static std::string Text(const Entry& entry) {
    if (entry.kind == EntryKind::kNoOp) return "-";
    if (entry.kind == EntryKind::kConfiguration) return "#";
    std::string text;
    const auto commands = SplitCommands(entry.payload);
    for (const std::string_view command : *commands) {
      if (!text.empty()) text += '+';
      text += command;
    }
    return text;
  }

  const Options options_;
  std::map<uint32_t, Node> nodes_;
  std::deque<Envelope> network_;
  std::vector<Envelope> trace_;
  std::map<std::string, ProposeResult> results_;
  Time now_ = kStart;
  uint64_t ids_ = 0;
  uint64_t lives_ = 0;
};

}  // namespace decree::paxos
