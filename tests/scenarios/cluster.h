#pragma once
// A few replicas on a table: no threads, files or network. Whoever holds it decides when a message
// arrives, when a record becomes durable and when time passes.
//
// What a node has made durable survives its crash, as does what it has applied; nothing else does.
// Invariants are checked by `Check`, which the scenario runner calls after every line.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "paxos/core/replica.h"
#include "tests/support/chosen_ledger.h"
#include "tests/support/replica_disk.h"

namespace decree::scenario {

using paxos::NodeId;
using paxos::Slot;

struct Settings {
  uint32_t nodes = 3;
  uint32_t q1 = 0;  // 0: majority
  uint32_t q2 = 0;
  Duration lease = Milliseconds(400);
  paxos::Options options;
};

enum class ReadState { kWaiting, kGranted, kRefused };

// How a message is picked: by link and name.
struct Pattern {
  NodeId from;
  NodeId to;
  std::string kind;  // empty: any

  bool Matches(const paxos::Envelope& envelope) const;
};

class Cluster {
 public:
  explicit Cluster(const Settings& settings);

  // ---- Messages ----

  // The oldest message that matches; false if there is none.
  bool Deliver(const Pattern& pattern);
  bool Duplicate(const Pattern& pattern);  // delivers it and keeps it, to be delivered again
  size_t Drop(const Pattern& pattern);     // all that match; how many there were
  void DropAll() { messages_.clear(); }
  size_t Count(const Pattern& pattern) const;
  // Delivers until nothing is on its way. No time passes.
  void DeliverAll();

  // What is sent over a cut link is lost.
  void Cut(NodeId from, NodeId to) { cut_.insert({from, to}); }
  void Heal() { cut_.clear(); }

  // ---- Time ----

  // Time passes without any message; nodes do what their deadlines demand.
  void Tick(Duration duration);
  // Time passes, and every message is delivered at once.
  void Run(Duration duration);
  // One node's election timeout passes, until it leads; false if it does not come to lead.
  bool Elect(NodeId node);
  // One node's next deadline comes, whatever the others' clocks would say.
  void Provoke(NodeId node);

  // ---- Nodes ----

  void Propose(NodeId node, const std::string& command);
  void Read(NodeId node, const std::string& name);
  bool Transfer(NodeId node);
  void Crash(NodeId node);
  void Restart(NodeId node);
  // From now on this node's records are durable only when `Sync` says so.
  void HoldRecords(NodeId node) { At(node).holds_records = true; }
  void Sync(NodeId node);
  void ReleaseRecords(NodeId node);

  // ---- Questions ----

  const std::vector<NodeId>& nodes() const { return ids_; }
  bool IsAlive(NodeId node) const { return At(node).replica != nullptr; }
  const paxos::Replica& replica(NodeId node) const { return *At(node).replica; }
  Duration LeaseLeft(NodeId node) const { return replica(node).LeaseLeft(now_); }
  bool IsCutOff(NodeId node) const { return replica(node).IsCutOff(now_); }
  // Null if the node has not applied the slot.
  paxos::EntryPtr AppliedAt(NodeId node, Slot slot) const;
  std::optional<ReadState> StateOf(const std::string& read) const;
  // Whether all live nodes have applied the same slots.
  bool HasConverged() const;
  std::string Describe() const;

  // The safety rules, on every node and between them. A broken one stops the program.
  void Check();

 private:
  struct Member {
    paxos::Identity identity;
    std::unique_ptr<paxos::Replica> replica;  // null while crashed

    // ---- Durable ----
    check::ReplicaDisk disk;
    std::map<Slot, paxos::EntryPtr> applied;
    paxos::Ballot promised_before;  // the highest promise that any life has let out

    // ---- Volatile ----
    std::deque<paxos::RecordBatch> waiting;  // not durable yet
    bool holds_records = false;
  };

  Member& At(NodeId node) { return *members_.at(node); }
  const Member& At(NodeId node) const { return *members_.at(node); }
  void Start(Member& member);
  void With(NodeId node, const std::function<void(paxos::Replica&, paxos::Output&)>& input);
  void Carry(Member& member, paxos::Output out);
  void ServeGranted();
  void SyncAll(Member& member);
  void Post(paxos::Envelope envelope);
  void CheckPromises(const paxos::Envelope& envelope);
  std::optional<NodeId> NextToTick(Time limit) const;

  const Settings settings_;
  paxos::Configuration founding_;
  std::vector<NodeId> ids_;
  std::map<NodeId, std::unique_ptr<Member>> members_;
  std::deque<paxos::Envelope> messages_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  Time now_{Seconds(1000)};
  uint64_t next_number_ = 1;  // of lives, proposals and reads
  std::map<uint64_t, std::string> read_names_;
  std::map<std::string, ReadState> reads_;
  std::map<std::string, std::pair<NodeId, Slot>> granted_;
  check::ChosenLedger ledger_;
};

}  // namespace decree::scenario
