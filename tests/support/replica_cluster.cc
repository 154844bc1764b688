#include "tests/support/replica_cluster.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include <glog/logging.h>

#include "paxos/core/first_meeting.h"
#include "paxos/core/invariants.h"

namespace decree::check {
namespace {

using paxos::EntryPtr;
using paxos::NodeId;
using paxos::Slot;

// A test is small: whoever gets here goes round in circles.
constexpr int kStepsMax = 100'000;

bool IsEmpty(const paxos::Output& out) {
  return out.messages.empty() && out.records.empty() && out.entries.empty() && out.reads.empty() &&
         out.refused_reads.empty() && out.log_reads.empty() && out.placements.empty();
}

template <typename T>
void Append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::string NameOf(const paxos::Entry& entry) {
  if (entry.kind == paxos::EntryKind::kNoOp) return "noop";
  if (entry.kind == paxos::EntryKind::kConfiguration) return "configuration";
  std::string name;
  const auto commands = paxos::SplitCommands(entry.payload);
  for (const std::string_view command : *commands) {
    if (!name.empty()) name += '+';
    name += command;
  }
  return name;
}

ReplicaCluster::ReplicaCluster(uint32_t count, paxos::Configuration founding, const paxos::Options& options)
    : options_(options) {
  if (founding.members.empty()) founding = paxos::Voters(count);
  for (uint32_t id = 1; id <= count; ++id) {
    nodes_[id].identity = paxos::Self(id);
    nodes_[id].disk = ReplicaDisk(founding);
    Start(id);
  }
}

// ---- Messages ----

void ReplicaCluster::LoseNothing() {
  passes = [](const Envelope&) { return true; };
}

void ReplicaCluster::Deliver(const Envelope& envelope) {
  const auto to = nodes_.find(envelope.to.value());
  if (to == nodes_.end() || to->second.replica == nullptr) return;
  With(to->first, [&](Replica& replica, Output& out) { replica.OnMessage(envelope, now_, out); });
}

void ReplicaCluster::DeliverAll() {
  for (int step = 0; const std::optional<Envelope> next = mail_.TakeAny(); ++step) {
    CHECK_LT(step, kStepsMax) << "the messages do not come to an end";
    Deliver(*next);
  }
}

paxos::Output ReplicaCluster::Inject(uint32_t to, const Envelope& envelope) {
  Output seen;
  With(to, [&](Replica& replica, Output& out) {
    replica.OnMessage(envelope, now_, out);
    seen = out;
  });
  return seen;
}

void ReplicaCluster::Post(const Envelope& envelope) {
  CheckPromises(envelope);
  trace_.push_back(envelope);
  if (passes(envelope)) mail_.Post(envelope);
}

// What is said on the wire must hold for every later life of the node.
void ReplicaCluster::CheckPromises(const Envelope& envelope) {
  Node& node = At(envelope.from.value());
  paxos::Ballot said;
  if (const auto* promise = std::get_if<paxos::Promise>(&envelope.message)) said = promise->ballot;
  if (const auto* vote = std::get_if<paxos::Accepted>(&envelope.message)) said = vote->ballot;
  if (const auto* prepare = std::get_if<paxos::Prepare>(&envelope.message)) said = prepare->ballot;
  CHECK_LE(said, node.disk.promised()) << "said what is not durable: " << envelope;
  node.promised_before = std::max(node.promised_before, said);
}

// ---- Time ----

uint32_t ReplicaCluster::NextToTick(Time limit) const {
  uint32_t next = 0;
  for (const auto& [id, node] : nodes_) {
    if (node.replica == nullptr || node.replica->NextDeadline() > limit) continue;
    if (next == 0 || node.replica->NextDeadline() < replica(next).NextDeadline()) next = id;
  }
  return next;
}

void ReplicaCluster::LetDeadlinesCome(Duration duration, bool delivers) {
  const Time end = now_ + duration;
  if (delivers) DeliverAll();
  for (int step = 0; const uint32_t node = NextToTick(end); ++step) {
    CHECK_LT(step, kStepsMax) << "the deadlines do not come to an end";
    now_ = std::max(now_, replica(node).NextDeadline());
    With(node, [&](Replica& replica, Output& out) { replica.OnTick(now_, out); });
    if (delivers) DeliverAll();
  }
  now_ = end;
}

void ReplicaCluster::Pass(Duration duration) { LetDeadlinesCome(duration, true); }
void ReplicaCluster::Tick(Duration duration) { LetDeadlinesCome(duration, false); }

void ReplicaCluster::Provoke(uint32_t node) {
  const Time deadline = replica(node).NextDeadline();
  if (deadline != kTimeNever) now_ = std::max(now_, deadline);
  With(node, [&](Replica& replica, Output& out) { replica.OnTick(now_, out); });
}

bool ReplicaCluster::Elect(uint32_t node) {
  constexpr int kAttempts = 30;
  for (int attempt = 0; attempt < kAttempts && replica(node).role() != paxos::Role::kLeader; ++attempt) {
    Provoke(node);
    DeliverAll();
  }
  return replica(node).role() == paxos::Role::kLeader;
}

uint32_t ReplicaCluster::ElectAny(Duration limit) {
  for (const Time end = now_ + limit; now_ < end; Pass(Milliseconds(10))) {
    for (const auto& [id, node] : nodes_) {
      if (node.replica != nullptr && node.replica->role() == paxos::Role::kLeader) return id;
    }
  }
  return 0;
}

// ---- Nodes ----

void ReplicaCluster::Start(uint32_t id) {
  Node& node = At(id);
  node.identity.life = paxos::Life(++lives_);
  const paxos::RecoveredState recovered = node.disk.Recover(LastApplied(id));
  CHECK(paxos::FirstMeeting::Check(node.identity, recovered).ok());
  node.replica = std::make_unique<Replica>(options_, node.identity, recovered, Random(lives_), now_);
  CHECK_GE(node.replica->promised(), node.promised_before) << "a promise was forgotten";
  Carry(node, {});
}

void ReplicaCluster::With(uint32_t id, const std::function<void(Replica&, Output&)>& input) {
  CHECK(IsAlive(id)) << "n" << id << " has crashed";
  Output out;
  input(replica(id), out);
  Carry(At(id), std::move(out));
  paxos::CheckInvariants(replica(id), now_);
}

void ReplicaCluster::Carry(Node& node, Output out) {
  for (node.replica->Flush(now_, out); !IsEmpty(out); node.replica->Flush(now_, out)) {
    Output next;
    for (const Envelope& envelope : out.messages) Post(envelope);
    CarryRecords(node, std::move(out.records), next);
    for (const paxos::ChosenEntry& chosen : out.entries) {
      node.applied[chosen.slot] = chosen.entry;
      node.replica->OnApplied(chosen.slot, now_, next);
    }
    for (const paxos::LogRead& read : out.log_reads) {
      node.replica->OnLogRead(read, node.disk.Read(read), now_, next);
    }
    Append(node.granted, out.reads);
    Append(node.refused, out.refused_reads);
    Append(node.placements, out.placements);
    out = std::move(next);
  }
}

void ReplicaCluster::CarryRecords(Node& node, std::vector<paxos::RecordBatch> records, Output& next) {
  for (paxos::RecordBatch& batch : records) node.waiting.push_back(std::move(batch));
  if (node.holds_records || node.waiting.empty()) return;
  const paxos::Ticket last = node.waiting.back().ticket;
  SyncAll(node);
  node.replica->OnDurable(last, now_, next);
}

void ReplicaCluster::SyncAll(Node& node) {
  for (const paxos::RecordBatch& batch : node.waiting) node.disk.Persist(batch);
  node.waiting.clear();
}

void ReplicaCluster::Sync(uint32_t id) {
  Node& node = At(id);
  if (node.waiting.empty()) return;
  const paxos::Ticket last = node.waiting.back().ticket;
  SyncAll(node);
  With(id, [&](Replica& replica, Output& out) { replica.OnDurable(last, now_, out); });
}

void ReplicaCluster::ReleaseRecords(uint32_t id) {
  At(id).holds_records = false;
  if (IsAlive(id)) Sync(id);
}

paxos::ProposeResult ReplicaCluster::Propose(uint32_t node, const std::string& command) {
  paxos::ProposeResult result = paxos::ProposeResult::kNotLeader;
  With(node, [&](Replica& replica, Output&) {
    result = replica.Propose(paxos::ProposalId(++proposals_), std::string(command), kTimeNever);
  });
  return result;
}

void ReplicaCluster::Read(uint32_t node, uint64_t id) {
  With(node, [&](Replica& replica, Output& out) { replica.Read(paxos::ReadId(id), now_, out); });
}

paxos::TransferResult ReplicaCluster::Transfer(uint32_t node, NodeId heir) {
  paxos::TransferResult result = paxos::TransferResult::kNotLeader;
  With(node, [&](Replica& replica, Output& out) { result = replica.TransferLeadership(heir, now_, out); });
  return result;
}

void ReplicaCluster::Crash(uint32_t node) {
  CHECK(IsAlive(node)) << "n" << node << " has crashed already";
  At(node).replica.reset();
  At(node).waiting.clear();
  At(node).holds_records = false;
}

void ReplicaCluster::Restart(uint32_t node) {
  CHECK(!IsAlive(node)) << "n" << node << " has not crashed";
  Start(node);
}

void ReplicaCluster::LoseApplied(uint32_t node) {
  CHECK(!IsAlive(node)) << "n" << node << " has not crashed";
  At(node).applied.clear();
}

void ReplicaCluster::Wipe(uint32_t id) {
  Node& node = At(id);
  if (IsAlive(id)) Crash(id);
  node.disk = ReplicaDisk(node.disk.founding());
  node.applied.clear();
  node.promised_before = {};
  node.identity.incarnation = paxos::Incarnation(node.identity.incarnation.value() + 1000);
  Start(id);
}

// ---- Questions ----

std::vector<std::string> ReplicaCluster::Applied(uint32_t node) const {
  std::vector<std::string> names;
  for (const auto& [slot, entry] : At(node).applied) names.push_back(NameOf(*entry));
  return names;
}

EntryPtr ReplicaCluster::AppliedAt(uint32_t node, Slot slot) const {
  const auto found = At(node).applied.find(slot);
  return found == At(node).applied.end() ? nullptr : found->second;
}

Slot ReplicaCluster::LastApplied(uint32_t node) const {
  return At(node).applied.empty() ? paxos::kNoSlot : At(node).applied.rbegin()->first;
}

bool ReplicaCluster::HasConverged() const {
  std::optional<Slot> applied;
  for (const auto& [id, node] : nodes_) {
    if (node.replica == nullptr) continue;
    if (applied.value_or(node.replica->applied()) != node.replica->applied()) return false;
    applied = node.replica->applied();
  }
  return true;
}

std::string ReplicaCluster::Describe() const {
  std::ostringstream text;
  for (const auto& [id, node] : nodes_) {
    text << "  n" << id << ": ";
    if (node.replica == nullptr) {
      text << "crashed\n";
      continue;
    }
    const Replica& r = *node.replica;
    text << RoleName(r.role()) << " follows=n" << r.leader() << " ballot=" << r.ballot() << " promised=" << r.promised()
         << " chosen_index=" << r.chosen_index() << " applied=" << r.applied()
         << " lease_left_ms=" << ToMilliseconds(r.LeaseLeft(now_)) << " records_held=" << node.waiting.size() << '\n';
  }
  for (const Envelope& envelope : mail_.envelopes()) text << "  on its way: " << envelope << '\n';
  return text.str();
}

void ReplicaCluster::Check() const {
  std::map<Slot, EntryPtr> chosen;
  uint32_t lease_holder = 0;
  for (const auto& [id, node] : nodes_) {
    for (const auto& [slot, entry] : node.applied) {
      const EntryPtr& known = chosen.try_emplace(slot, entry).first->second;
      CHECK(*known == *entry) << "two values were chosen: slot=" << slot << " known: " << *known << ", n" << id
                              << " has: " << *entry;
    }
    if (node.replica == nullptr) continue;
    paxos::CheckInvariants(*node.replica, now_);
    if (node.replica->LeaseLeft(now_) == Duration::zero()) continue;
    CHECK_EQ(lease_holder, 0u) << "n" << lease_holder << " and n" << id << " both hold a lease";
    lease_holder = id;
  }
}

}  // namespace decree::check
