#include "paxos/core/leader/quorum_contact.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace decree::paxos {
namespace {

// How long an answer may take, in heartbeats.
constexpr int kPatienceHeartbeats = 2;

}  // namespace

QuorumContact::QuorumContact(const Options& options, NodeId self)
    : patience_(kPatienceHeartbeats * options.heartbeat), self_(self) {}

void QuorumContact::OnAsked(const Configuration& configuration, Time now) {
  if (QuorumHeard(configuration) >= asked_) asked_ = now;
}

Time QuorumContact::LostAt(const Configuration& configuration) const {
  if (asked_ == Time::min() || QuorumHeard(configuration) >= asked_) return kTimeNever;
  return asked_ + patience_;
}

Time QuorumContact::QuorumHeard(const Configuration& configuration) const {
  std::vector<Time> heard;
  for (const auto& [node, time] : heard_) {
    if (node != self_ && configuration.IsVoter(node)) heard.push_back(time);
  }
  // A leader needs both quorums: one to be elected, one to write.
  const uint32_t quorum = std::max(configuration.q1, configuration.q2);
  const uint32_t others = configuration.IsVoter(self_) ? quorum - 1 : quorum;
  if (others == 0) return Time::max();
  if (heard.size() < others) return Time::min();
  std::nth_element(heard.begin(), heard.begin() + (others - 1), heard.end(), std::greater<>());
  return heard[others - 1];
}

}  // namespace decree::paxos
