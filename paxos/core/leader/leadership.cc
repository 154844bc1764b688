#include "paxos/core/leader/leadership.h"

#include <algorithm>
#include <utility>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {

Leadership::Leadership(const Options& options, NodeId self, uint64_t last_probe, Time now)
    : options_(options), self_(self), since_(now), lease_(last_probe), heartbeat_at_(now) {}

Heartbeat Leadership::NextHeartbeat(Ballot ballot, Slot chosen_index, Time now) {
  heartbeat_at_ = now + options_.heartbeat;
  return {.ballot = ballot, .probe = lease_.NextProbe(now), .chosen_index = chosen_index};
}

void Leadership::OnHeartbeatAck(NodeId from, const HeartbeatAck& ack, Time now) {
  lease_.OnAck(from, ack.probe, now);
  Peer& peer = peers_[from];
  peer.chosen_index = std::max(peer.chosen_index, ack.chosen_index);
  peer.heard = now;
  peer.ready_at = now + ack.refuses_for;
}

bool Leadership::IsQuorumSilent(const Configuration& configuration, Time now) const {
  const uint32_t needed = std::max(configuration.q2, configuration.LeaseQuorum());
  const Time heard = lease_.HeardSince(configuration, needed, since_);
  // A leader that steps down in time serves nothing stale even without a lease.
  return now - heard > options_.election_timeout_min && !IsPlanted(PlantedBug::kReadWithoutLease);
}

TransferResult Leadership::CheckHeir(NodeId heir, const Configuration& configuration, Slot dropped_index,
                                     Time now) const {
  if (heir == self_ || !configuration.IsVoter(heir)) return TransferResult::kNoVoter;
  const auto peer = peers_.find(heir);
  if (peer == peers_.end() || !IsHeard(peer->second, now)) return TransferResult::kHeirUnheard;
  if (peer->second.ready_at > now) return TransferResult::kHeirUnready;
  if (peer->second.chosen_index < dropped_index) return TransferResult::kHeirBehind;
  return TransferResult::kBegun;
}

void Leadership::BeginTransfer(NodeId heir, Time now) {
  heir_ = heir;
  if (!transfer_until_.has_value()) transfer_until_ = now + options_.election_timeout_min;
}

bool Leadership::IsTransferDue(size_t slots_in_flight, Time now) const {
  return IsTransferring() && (slots_in_flight == 0 || now >= *transfer_until_);
}

NodeId Leadership::Heir(const Configuration& configuration, Time now) const {
  return heir_ == kNoNode ? MostAdvancedPeer(configuration, now) : heir_;
}

NodeId Leadership::MostAdvancedPeer(const Configuration& configuration, Time now) const {
  NodeId best = kNoNode;
  std::pair<bool, Slot> best_rank;
  for (const auto& [node, peer] : peers_) {
    if (node == self_ || !configuration.IsVoter(node) || !IsHeard(peer, now)) continue;
    const std::pair rank(peer.ready_at <= now, peer.chosen_index);
    if (best != kNoNode && rank <= best_rank) continue;
    best = node;
    best_rank = rank;
  }
  return best;
}

Time Leadership::NextDeadline() const { return std::min(heartbeat_at_, transfer_until_.value_or(kTimeNever)); }

}  // namespace decree::paxos
