#include "tests/scenarios/cluster.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <glog/logging.h>

#include "paxos/core/invariants.h"

namespace decree::scenario {
namespace {

// A scenario is small: whoever gets here goes round in circles.
constexpr int kStepsMax = 100'000;

paxos::Configuration MakeFounding(const Settings& settings) {
  paxos::Configuration founding;
  for (uint32_t id = 1; id <= settings.nodes; ++id) {
    founding.members.push_back({.id = NodeId(id),
                                .incarnation = paxos::Incarnation(100 + id),
                                .voter = true,
                                .peer_address = StrCat("peer", id, ":1"),
                                .client_address = StrCat("client", id, ":1")});
  }
  const uint32_t majority = paxos::MajorityOf(settings.nodes);
  founding.q1 = settings.q1 == 0 ? majority : settings.q1;
  founding.q2 = settings.q2 == 0 ? majority : settings.q2;
  founding.lease = settings.lease;
  CHECK(founding.Validate().ok()) << founding.Validate();
  CHECK(settings.options.Validate().ok()) << settings.options.Validate();
  CHECK(settings.options.ValidateWith(founding).ok()) << settings.options.ValidateWith(founding);
  return founding;
}

bool IsEmpty(const paxos::Output& out) {
  return out.messages.empty() && out.records.empty() && out.entries.empty() && out.reads.empty() &&
         out.refused_reads.empty() && out.log_reads.empty();
}

}  // namespace

bool Pattern::Matches(const paxos::Envelope& envelope) const {
  return envelope.from == from && envelope.to == to && (kind.empty() || kind == paxos::MessageName(envelope.message));
}

Cluster::Cluster(const Settings& settings) : settings_(settings), founding_(MakeFounding(settings)) {
  for (uint32_t id = 1; id <= settings.nodes; ++id) {
    const NodeId node(id);
    ids_.push_back(node);
    Member& member = *members_.emplace(node, std::make_unique<Member>()).first->second;
    member.identity = {.node = node, .incarnation = paxos::Incarnation(100 + id), .life = {}};
    member.disk = check::ReplicaDisk(founding_);
    Start(member);
  }
}

// ---- Messages ----

bool Cluster::Deliver(const Pattern& pattern) {
  const auto found =
      std::find_if(messages_.begin(), messages_.end(), [&](const auto& envelope) { return pattern.Matches(envelope); });
  if (found == messages_.end()) return false;
  const paxos::Envelope envelope = std::move(*found);
  messages_.erase(found);
  if (IsAlive(envelope.to)) {
    With(envelope.to, [&](auto& replica, auto& out) { replica.OnMessage(envelope, now_, out); });
  }
  return true;
}

bool Cluster::Duplicate(const Pattern& pattern) {
  const auto found =
      std::find_if(messages_.begin(), messages_.end(), [&](const auto& envelope) { return pattern.Matches(envelope); });
  if (found == messages_.end()) return false;
  messages_.push_front(paxos::Envelope(*found));
  return Deliver(pattern);
}

size_t Cluster::Drop(const Pattern& pattern) {
  return std::erase_if(messages_, [&](const auto& envelope) { return pattern.Matches(envelope); });
}

size_t Cluster::Count(const Pattern& pattern) const {
  return static_cast<size_t>(std::count_if(messages_.begin(), messages_.end(),
                                           [&](const auto& envelope) { return pattern.Matches(envelope); }));
}

void Cluster::DeliverAll() {
  for (int step = 0; !messages_.empty(); ++step) {
    CHECK_LT(step, kStepsMax) << "the messages do not come to an end";
    const paxos::Envelope& next = messages_.front();
    Deliver({.from = next.from, .to = next.to, .kind = paxos::MessageName(next.message)});
  }
}

void Cluster::Post(paxos::Envelope envelope) {
  CheckPromises(envelope);
  if (!cut_.contains({envelope.from, envelope.to})) messages_.push_back(std::move(envelope));
}

// What is said on the wire must hold for every later life of the node.
void Cluster::CheckPromises(const paxos::Envelope& envelope) {
  Member& member = At(envelope.from);
  paxos::Ballot said;
  if (const auto* promise = std::get_if<paxos::Promise>(&envelope.message)) said = promise->ballot;
  if (const auto* vote = std::get_if<paxos::Accepted>(&envelope.message)) said = vote->ballot;
  if (const auto* prepare = std::get_if<paxos::Prepare>(&envelope.message)) said = prepare->ballot;
  CHECK_LE(said, member.disk.promised()) << "said what is not durable: " << envelope;
  member.promised_before = std::max(member.promised_before, said);
}

// ---- Time ----

std::optional<NodeId> Cluster::NextToTick(Time limit) const {
  std::optional<NodeId> next;
  for (const NodeId node : ids_) {
    if (!IsAlive(node) || replica(node).NextDeadline() > limit) continue;
    if (!next || replica(node).NextDeadline() < replica(*next).NextDeadline()) next = node;
  }
  return next;
}

void Cluster::Tick(Duration duration) {
  const Time end = now_ + duration;
  for (int step = 0; const auto node = NextToTick(end); ++step) {
    CHECK_LT(step, kStepsMax) << "the deadlines do not come to an end";
    now_ = std::max(now_, replica(*node).NextDeadline());
    With(*node, [&](auto& replica, auto& out) { replica.OnTick(now_, out); });
  }
  now_ = end;
}

void Cluster::Run(Duration duration) {
  const Time end = now_ + duration;
  DeliverAll();
  for (int step = 0; const auto node = NextToTick(end); ++step) {
    CHECK_LT(step, kStepsMax) << "the deadlines do not come to an end";
    now_ = std::max(now_, replica(*node).NextDeadline());
    With(*node, [&](auto& replica, auto& out) { replica.OnTick(now_, out); });
    DeliverAll();
  }
  now_ = end;
}

void Cluster::Provoke(NodeId node) {
  const Time deadline = replica(node).NextDeadline();
  if (deadline != kTimeNever) now_ = std::max(now_, deadline);
  With(node, [&](auto& replica, auto& out) { replica.OnTick(now_, out); });
}

bool Cluster::Elect(NodeId node) {
  constexpr int kAttempts = 30;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (replica(node).role() == paxos::Role::kLeader) return true;
    Provoke(node);
    DeliverAll();
  }
  return replica(node).role() == paxos::Role::kLeader;
}

// ---- Nodes ----

void Cluster::Start(Member& member) {
  member.identity.life = paxos::Life(next_number_++);
  const Slot applied = member.applied.empty() ? paxos::kNoSlot : member.applied.rbegin()->first;
  const paxos::RecoveredState recovered = member.disk.Recover(applied);
  member.replica = std::make_unique<paxos::Replica>(settings_.options, member.identity, recovered,
                                                    Random(member.identity.life.value()), now_);
  CHECK_GE(member.replica->promised(), member.promised_before) << "a promise was forgotten";
  Carry(member, {});
}

void Cluster::With(NodeId node, const std::function<void(paxos::Replica&, paxos::Output&)>& input) {
  CHECK(IsAlive(node)) << "n" << node << " has crashed";
  paxos::Output out;
  input(*At(node).replica, out);
  Carry(At(node), std::move(out));
}

void Cluster::Carry(Member& member, paxos::Output out) {
  member.replica->Flush(now_, out);
  while (!IsEmpty(out)) {
    paxos::Output next;
    for (paxos::Envelope& envelope : out.messages) Post(std::move(envelope));
    for (paxos::RecordBatch& batch : out.records) member.waiting.push_back(std::move(batch));
    if (!member.holds_records && !member.waiting.empty()) {
      const paxos::Ticket last = member.waiting.back().ticket;
      SyncAll(member);
      member.replica->OnDurable(last, now_, next);
    }
    for (const paxos::ChosenEntry& chosen : out.entries) {
      ledger_.Note(chosen.slot, chosen.entry, member.identity.node);
      member.applied[chosen.slot] = chosen.entry;
      member.replica->OnApplied(chosen.slot, now_, next);
    }
    for (const paxos::LogRead& read : out.log_reads) {
      member.replica->OnLogRead(read, member.disk.Read(read), now_, next);
    }
    for (const paxos::ReadGrant& grant : out.reads) {
      granted_[read_names_.at(grant.id.value())] = {member.identity.node, grant.slot};
    }
    for (const paxos::RefusedRead& refused : out.refused_reads) {
      reads_[read_names_.at(refused.id.value())] = ReadState::kRefused;
    }
    ServeGranted();
    member.replica->Flush(now_, next);
    out = std::move(next);
  }
}

// A granted read is served once its slot is applied.
void Cluster::ServeGranted() {
  for (const auto& [name, grant] : granted_) {
    const auto& [node, slot] = grant;
    if (IsAlive(node) && replica(node).applied() >= slot) reads_[name] = ReadState::kGranted;
  }
}

void Cluster::SyncAll(Member& member) {
  for (const paxos::RecordBatch& batch : member.waiting) member.disk.Persist(batch);
  member.waiting.clear();
}

void Cluster::Sync(NodeId node) {
  Member& member = At(node);
  if (member.waiting.empty()) return;
  const paxos::Ticket last = member.waiting.back().ticket;
  SyncAll(member);
  With(node, [&](auto& replica, auto& out) { replica.OnDurable(last, now_, out); });
}

void Cluster::ReleaseRecords(NodeId node) {
  At(node).holds_records = false;
  if (IsAlive(node)) Sync(node);
}

void Cluster::Propose(NodeId node, const std::string& command) {
  const paxos::ProposalId id(next_number_++);
  With(node, [&](auto& replica, auto&) {
    const paxos::ProposeResult result = replica.Propose(id, command, kTimeNever);
    CHECK(result == paxos::ProposeResult::kQueued) << "n" << node << " does not take " << command;
  });
}

void Cluster::Read(NodeId node, const std::string& name) {
  const uint64_t id = next_number_++;
  read_names_[id] = name;
  reads_[name] = ReadState::kWaiting;
  With(node, [&](auto& replica, auto& out) { replica.Read(paxos::ReadId(id), now_, out); });
}

bool Cluster::Transfer(NodeId node) {
  bool begun = false;
  With(node, [&](auto& replica, auto& out) {
    begun = replica.TransferLeadership(paxos::kNoNode, now_, out) == paxos::TransferResult::kBegun;
  });
  return begun;
}

void Cluster::Crash(NodeId node) {
  CHECK(IsAlive(node)) << "n" << node << " has crashed already";
  At(node).replica.reset();
  At(node).waiting.clear();
  At(node).holds_records = false;
}

void Cluster::Restart(NodeId node) {
  CHECK(!IsAlive(node)) << "n" << node << " has not crashed";
  Start(At(node));
}

// ---- Questions ----

paxos::EntryPtr Cluster::AppliedAt(NodeId node, Slot slot) const {
  const auto found = At(node).applied.find(slot);
  return found == At(node).applied.end() ? nullptr : found->second;
}

std::optional<ReadState> Cluster::StateOf(const std::string& read) const {
  const auto found = reads_.find(read);
  if (found == reads_.end()) return std::nullopt;
  return found->second;
}

bool Cluster::HasConverged() const {
  std::optional<Slot> applied;
  for (const NodeId node : ids_) {
    if (!IsAlive(node)) continue;
    if (applied.value_or(replica(node).applied()) != replica(node).applied()) return false;
    applied = replica(node).applied();
  }
  return true;
}

std::string Cluster::Describe() const {
  std::ostringstream text;
  for (const NodeId node : ids_) {
    text << "  n" << node << ": ";
    if (!IsAlive(node)) {
      text << "crashed\n";
      continue;
    }
    const paxos::Replica& r = replica(node);
    text << RoleName(r.role()) << " follows=n" << r.leader() << " ballot=" << r.ballot() << " promised=" << r.promised()
         << " chosen_index=" << r.chosen_index() << " applied=" << r.applied()
         << " lease_left_ms=" << ToMilliseconds(r.LeaseLeft(now_)) << " records_held=" << At(node).waiting.size()
         << '\n';
  }
  for (const paxos::Envelope& envelope : messages_) text << "  on its way: " << envelope << '\n';
  return text.str();
}

void Cluster::Check() {
  std::optional<NodeId> lease_holder;
  for (const NodeId node : ids_) {
    if (!IsAlive(node)) continue;
    paxos::CheckInvariants(replica(node), now_);
    if (replica(node).LeaseLeft(now_) == Duration::zero()) continue;
    CHECK(!lease_holder) << "n" << *lease_holder << " and n" << node << " both hold a lease";
    lease_holder = node;
  }
}

}  // namespace decree::scenario
