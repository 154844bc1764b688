#include "paxos/core/acceptor/lease.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

// Older probes are not worth an answer: at ten a second this is minutes of silence.
constexpr size_t kOutstandingMax = 1024;

}  // namespace

bool GrantedLease::Grant(Ballot ballot, Duration length, Time now) {
  CHECK(!ballot.IsNone());
  // A second holder means that a phase-1 quorum met every lease quorum of the first, whose grants
  // have therefore ended: nothing is owed to it.
  const Time until = now + length;
  until_ = ballot_.node == ballot.node ? std::max(until_, until) : until;
  return std::exchange(ballot_, ballot) != ballot;
}

void GrantedLease::Waive(Ballot ballot) {
  if (ballot_ == ballot) ballot_ = Ballot();
}

Duration GrantedLease::LeftAgainst(NodeId node, Time now) const {
  Duration left = RefusesFor(now);
  if (!ballot_.IsNone() && ballot_.node != node) left = std::max(left, until_ - now);
  return left;
}

uint64_t HeldLease::NextProbe(Time now) {
  outstanding_.push_back({.number = ++last_probe_, .sent = now});
  if (outstanding_.size() > kOutstandingMax) outstanding_.pop_front();
  return last_probe_;
}

void HeldLease::OnAck(NodeId from, uint64_t probe, Time now) {
  const auto found = std::find_if(outstanding_.begin(), outstanding_.end(),
                                  [probe](const Probe& candidate) { return candidate.number == probe; });
  if (found == outstanding_.end()) return;
  Acked& acked = acked_[from];
  if (probe <= acked.probe) return;
  acked = {.probe = probe, .sent = IsPlanted(PlantedBug::kLeaseFromAck) ? now : found->sent};
}

HeldLease::Acked HeldLease::Best(const Configuration& configuration, uint32_t needed) const {
  CHECK_GE(needed, 1u);
  std::vector<Acked> acks;
  for (const auto& [node, acked] : acked_) {
    if (configuration.IsVoter(node)) acks.push_back(acked);
  }
  if (acks.size() < needed) return {};
  std::nth_element(acks.begin(), acks.begin() + (needed - 1), acks.end(),
                   [](const Acked& a, const Acked& b) { return a.probe > b.probe; });
  return acks[needed - 1];
}

uint64_t HeldLease::ConfirmedProbe(const Configuration& configuration) const {
  return Best(configuration, configuration.LeaseQuorum()).probe;
}

Time HeldLease::HeldUntil(const Configuration& configuration) const {
  if (configuration.lease == Duration::zero()) return Time::min();
  const Acked acked = Best(configuration, configuration.LeaseQuorum());
  return acked.probe == 0 ? Time::min() : acked.sent + configuration.HeldLease();
}

Time HeldLease::HeardSince(const Configuration& configuration, uint32_t needed, Time started) const {
  const Acked acked = Best(configuration, needed);
  return acked.probe == 0 ? started : std::max(started, acked.sent);
}

}  // namespace decree::paxos
