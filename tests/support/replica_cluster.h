#pragma once
// A few replicas on a table: no threads, files or network. Whoever holds it decides what is lost on the way, when a
// message arrives, when a record becomes durable and when time passes.
//
// What a node has made durable survives its crash, as does what it has applied; nothing else does. After every step the
// node that took it is checked against the invariants, and what it says against what its disk holds.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "paxos/core/replica.h"
#include "tests/support/core_fixture.h"
#include "tests/support/mail.h"
#include "tests/support/replica_disk.h"

namespace decree::check {

// "put-a", "put-a+put-b" for a batch, "noop" or "configuration".
std::string NameOf(const paxos::Entry& entry);

class ReplicaCluster {
 public:
  using Envelope = paxos::Envelope;
  using Output = paxos::Output;
  using Replica = paxos::Replica;

  // Nodes 1 to `count`. Without a configuration all of them vote, and majorities decide.
  explicit ReplicaCluster(uint32_t count, paxos::Configuration founding = {}, const paxos::Options& options = {});

  // ---- Messages ----

  // A message for which this is false when it is sent is lost.
  std::function<bool(const Envelope&)> passes = [](const Envelope&) { return true; };
  void LoseNothing();

  // What is on its way. What is taken from it may be delivered.
  Mail& mail() { return mail_; }
  const Mail& mail() const { return mail_; }
  // Nothing happens if the node has crashed.
  void Deliver(const Envelope& envelope);
  // Delivers until nothing is on its way. No time passes.
  void DeliverAll();
  // Puts a message before a node as if the network had carried it; what that makes the node do at once.
  Output Inject(uint32_t to, const Envelope& envelope);
  // Every message sent since the start, lost ones too.
  const std::vector<Envelope>& trace() const { return trace_; }
  void ClearTrace() { trace_.clear(); }

  // ---- Time ----

  Time now() const { return now_; }
  // Time passes, and every message is delivered at once; nodes do what their deadlines demand.
  void Pass(Duration duration);
  // The same, but no message arrives.
  void Tick(Duration duration);
  // One node's next deadline comes, whatever the others' clocks would say.
  void Provoke(uint32_t node);
  // One node's election timeout passes, until it leads; false if it does not come to lead.
  bool Elect(uint32_t node);
  // Time passes until a node leads; 0 if none comes to.
  uint32_t ElectAny(Duration limit = Seconds(20));

  // ---- Nodes ----

  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  bool IsAlive(uint32_t node) const { return At(node).replica != nullptr; }
  Replica& replica(uint32_t node) { return *At(node).replica; }
  const Replica& replica(uint32_t node) const { return *At(node).replica; }

  paxos::ProposeResult Propose(uint32_t node, const std::string& command);
  void Read(uint32_t node, uint64_t id);
  paxos::TransferResult Transfer(uint32_t node, paxos::NodeId heir = paxos::kNoNode);

  // Loses the process.
  void Crash(uint32_t node);
  void Restart(uint32_t node);
  // Loses what a crashed node had applied, as if its store had not been flushed.
  void LoseApplied(uint32_t node);
  // Loses the disk too, and the node comes back formatted anew under its old id.
  void Wipe(uint32_t node);

  // From now on this node's records are durable only when `Sync` says so, until they are released or it crashes.
  void HoldRecords(uint32_t node) { At(node).holds_records = true; }
  void Sync(uint32_t node);
  void ReleaseRecords(uint32_t node);

  // ---- Questions ----

  // The names of what a node has applied, in order.
  std::vector<std::string> Applied(uint32_t node) const;
  // Null if the node has not applied the slot.
  paxos::EntryPtr AppliedAt(uint32_t node, paxos::Slot slot) const;
  paxos::Slot LastApplied(uint32_t node) const;
  // What became of the reads that this node was asked.
  const std::vector<paxos::ReadGrant>& Granted(uint32_t node) const { return At(node).granted; }
  const std::vector<paxos::RefusedRead>& Refused(uint32_t node) const { return At(node).refused; }
  const std::vector<paxos::Placement>& Placements(uint32_t node) const { return At(node).placements; }
  // Whether all live nodes have applied the same slots.
  bool HasConverged() const;
  std::string Describe() const;

  // The safety rules, on every node and between them. A broken one stops the program.
  void Check() const;

 private:
  struct Node {
    paxos::Identity identity;
    std::unique_ptr<Replica> replica;  // null while crashed

    // ---- Durable ----
    ReplicaDisk disk;
    std::map<paxos::Slot, paxos::EntryPtr> applied;
    paxos::Ballot promised_before;  // the highest promise that any life has let out

    // ---- Volatile ----
    std::deque<paxos::RecordBatch> waiting;  // not durable yet
    bool holds_records = false;

    // ---- For the test ----
    std::vector<paxos::ReadGrant> granted;
    std::vector<paxos::RefusedRead> refused;
    std::vector<paxos::Placement> placements;
  };

  Node& At(uint32_t node) { return nodes_.at(node); }
  const Node& At(uint32_t node) const { return nodes_.at(node); }
  void Start(uint32_t id);
  void With(uint32_t id, const std::function<void(Replica&, Output&)>& input);
  void Carry(Node& node, Output out);
  void CarryRecords(Node& node, std::vector<paxos::RecordBatch> records, Output& next);
  void Post(const Envelope& envelope);
  void CheckPromises(const Envelope& envelope);
  static void SyncAll(Node& node);
  // The live node whose deadline comes first, if that is within the limit; 0 if none.
  uint32_t NextToTick(Time limit) const;
  void LetDeadlinesCome(Duration duration, bool delivers);

  const paxos::Options options_;
  std::map<uint32_t, Node> nodes_;
  Mail mail_;
  std::vector<Envelope> trace_;
  Time now_ = paxos::kStart;
  uint64_t proposals_ = 0;
  uint64_t lives_ = 0;
};

}  // namespace decree::check
