#pragma once
// Whether this node hears a quorum of the others. One that does not can neither lead nor learn who does, and
// whoever asks it for anything fresh had better ask another.
//
// Followers do not talk to each other, so silence alone proves nothing: only if something was asked that every
// voter answers at once, a poll or a heartbeat, and no quorum was heard since. Passive, for one thread.

#include <map>

#include "paxos/base/time.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class QuorumContact {
 public:
  QuorumContact(const Options& options, NodeId self);

  // Any message of another member.
  void OnHeard(NodeId from, Time now) { heard_[from] = now; }
  // All voters were asked.
  void OnAsked(const Configuration& configuration, Time now);

  // When contact is lost, if no quorum is heard before; kTimeNever while nothing is waited for. A time that has
  // passed: it is lost.
  Time LostAt(const Configuration& configuration) const;

 private:
  // When the last that makes a quorum, with this node itself, was heard from.
  Time QuorumHeard(const Configuration& configuration) const;

  const Duration patience_;
  const NodeId self_;
  std::map<NodeId, Time> heard_;
  // The first question since a quorum was heard last.
  Time asked_ = Time::min();
};

}  // namespace decree::paxos
