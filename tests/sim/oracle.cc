#include "tests/sim/oracle.h"

#include <algorithm>
#include <optional>

#include <glog/logging.h>

#include "paxos/base/checksum.h"
#include "paxos/core/invariants.h"

namespace decree::sim {
namespace {

// For how many slots a node's votes are compared with its disk when it starts again.
constexpr size_t kVotesKept = 1000;
// What a new leader may have in flight of what it found.
constexpr size_t kRecoverySlotsMax = 64;
// What a queue may count for a command beside its bytes.
constexpr size_t kCommandOverheadBytes = 128;
constexpr size_t kSlotBytes = 120;  // of a slot without commands, in a message

// Names a slot's value, however it is held. The two must agree.
uint64_t FingerprintOf(paxos::LogTime log_time, std::string_view commands, std::string_view configuration) {
  return Checksum(configuration, Checksum(commands, log_time.value()));
}

uint64_t Fingerprint(const paxos::SlotCommands& slot) {
  std::string payload;
  for (const std::string_view command : slot.commands) paxos::AppendCommand(payload, command);
  return FingerprintOf(slot.log_time, payload, slot.configuration);
}

uint64_t Fingerprint(const paxos::Entry& entry) {
  const bool is_configuration = entry.kind == paxos::EntryKind::kConfiguration;
  return FingerprintOf(entry.log_time, is_configuration ? "" : entry.payload, is_configuration ? entry.payload : "");
}

}  // namespace

using paxos::Ballot;
using paxos::NodeId;
using paxos::Slot;

void Oracle::OnSend(const paxos::Replica& sender, const paxos::Envelope& envelope) {
  NoteRoster(sender);
  if (!std::holds_alternative<paxos::Introduction>(envelope.message)) {
    const auto member = roster_.find(envelope.from);
    CHECK(member != roster_.end() && member->second == envelope.from_incarnation)
        << "rule 10: a node that is no member takes part: " << envelope;
  }
  Said& said = said_[envelope.from];
  if (const auto* promise = std::get_if<paxos::Promise>(&envelope.message)) {
    said.promised = std::max(said.promised, promise->ballot);
  } else if (const auto* accepted = std::get_if<paxos::Accepted>(&envelope.message)) {
    said.promised = std::max(said.promised, accepted->ballot);
    for (const Slot slot : accepted->slots) {
      Ballot& vote = said.votes[slot];
      vote = std::max(vote, accepted->ballot);
    }
    while (said.votes.size() > kVotesKept) said.votes.erase(said.votes.begin());
  } else if (const auto* prepare = std::get_if<paxos::Prepare>(&envelope.message)) {
    said.promised = std::max(said.promised, prepare->ballot);
    NoteOwner(prepare->ballot, envelope);
  } else if (const auto* heartbeat = std::get_if<paxos::Heartbeat>(&envelope.message)) {
    NoteOwner(heartbeat->ballot, envelope);
  } else if (const auto* accept = std::get_if<paxos::Accept>(&envelope.message)) {
    NoteOwner(accept->ballot, envelope);
    for (const paxos::SlotEntry& item : accept->entries) {
      const auto [known, is_new] = proposed_.try_emplace({accept->ballot, item.slot}, item.entry);
      CHECK(is_new || *known->second == *item.entry)
          << "rule 1: two values were proposed under ballot " << accept->ballot << " in slot " << item.slot << ": "
          << *known->second << " and " << *item.entry;
    }
  } else if (const auto* answer = std::get_if<paxos::FetchAnswer>(&envelope.message)) {
    for (const paxos::SlotEntry& item : answer->entries) {
      NoteChosen(item.slot, Fingerprint(*item.entry), envelope.from);
    }
  }
}

void Oracle::NoteRoster(const paxos::Replica& replica) {
  if (!replica.has_begun()) return;
  const paxos::Roster roster = replica.configuration().KnownIncarnations();
  if (roster_.empty()) roster_ = roster;
  CHECK(roster == roster_) << "rule 10: n" << replica.self().node << " has begun among others than the rest";
}

void Oracle::NoteOwner(const Ballot& ballot, const paxos::Envelope& envelope) {
  CHECK_EQ(ballot.node, envelope.from) << "rule 1: a ballot of another node: " << envelope;
  const auto [owner, is_new] = owners_.try_emplace(ballot, envelope.from_life);
  CHECK_EQ(owner->second, envelope.from_life) << "rule 1: ballot " << ballot << " was used by two lives";
}

void Oracle::OnStart(const paxos::Replica& replica, const std::vector<paxos::Vote>& votes) {
  const NodeId node = replica.self().node;
  const Said& said = said_[node];
  CHECK_GE(replica.promised(), said.promised) << "rule 1: n" << node << " forgot a promise";
  std::map<Slot, const paxos::Vote*> found;
  for (const paxos::Vote& vote : votes) found[vote.slot] = &vote;
  for (const auto& [slot, ballot] : said.votes) {
    const auto vote = found.find(slot);
    CHECK(vote != found.end()) << "rule 3: n" << node << " forgot its vote in slot " << slot;
    if (vote->second->chosen || vote->second->ballot >= ballot) continue;
    // It can only have known that this value is chosen: that is not written again when another
    // leader proposes it once more. So it must be what everybody has.
    NoteChosen(slot, Fingerprint(*vote->second->entry), node);
  }
  chosen_index_[node] = replica.chosen_index();
}

void Oracle::NoteChosen(Slot slot, uint64_t fingerprint, NodeId witness) {
  const auto [known, is_new] = chosen_.try_emplace(slot, fingerprint);
  CHECK_EQ(known->second, fingerprint) << "rule 4: two values were chosen: slot=" << slot << ", n" << witness
                                       << " has another than before";
}

void Oracle::OnApplied(NodeId node, std::span<const paxos::SlotCommands> slots, uint64_t digest) {
  for (const paxos::SlotCommands& slot : slots) {
    NoteChosen(slot.slot, Fingerprint(slot), node);
    uint64_t& bytes = bytes_[slot.slot];
    bytes = kSlotBytes;
    for (const std::string_view command : slot.commands) bytes += command.size();
  }
  const Slot last = slots.back().slot;
  const auto [known, is_new] = digests_.try_emplace(last, digest);
  CHECK_EQ(known->second, digest) << "state machine: n" << node << " differs from another replica at slot " << last;
}

uint64_t Oracle::BytesBetween(Slot low, Slot high) const {
  uint64_t bytes = 0;
  for (auto it = bytes_.upper_bound(low); it != bytes_.end() && it->first <= high; ++it) {
    bytes += it->second;
  }
  return bytes;
}

void Oracle::OnStep(const paxos::Replica& replica, Time local_now, const paxos::Options& options) {
  const NodeId node = replica.self().node;
  paxos::CheckInvariants(replica, local_now);
  NoteRoster(replica);
  CHECK(!replica.is_halted()) << "rule 10: n" << node << ": " << replica.Obstacles().front();
  CHECK_GE(replica.chosen_index(), chosen_index_[node]) << "rule 4: n" << node << " forgot a chosen slot";
  chosen_index_[node] = replica.chosen_index();
  CHECK_LE(replica.pending_bytes(),
           std::max(options.pending_bytes_max, options.command_bytes_max + kCommandOverheadBytes))
      << "rule 12: n" << node;
  CHECK_LE(replica.proposer().slots_in_flight(), std::max(options.slots_in_flight_max, kRecoverySlotsMax))
      << "rule 3: n" << node;
}

void Oracle::OnLease(NodeId node, Instant busy_until, Instant lease_until) {
  Belief& belief = leases_[node];
  const Instant believed = belief.HoldsAt(queue_.now()) ? belief.after : queue_.now();
  belief = {.busy_until = busy_until, .before = believed, .after = lease_until};
  CheckLeases();
  if (lease_until > busy_until && busy_until > queue_.now()) {
    queue_.At(busy_until, [this] { CheckLeases(); });
  }
}

void Oracle::OnCrash(NodeId node) { leases_.erase(node); }

void Oracle::OnNewDisk(NodeId node) {
  said_.erase(node);
  chosen_index_.erase(node);
}

void Oracle::CheckLeases() {
  if (!checks_leases_) return;
  std::optional<NodeId> holder;
  for (const auto& [node, belief] : leases_) {
    if (!belief.HoldsAt(queue_.now())) continue;
    CHECK(!holder.has_value()) << "rule 7: n" << *holder << " and n" << node << " both hold a lease";
    holder = node;
  }
}

}  // namespace decree::sim
