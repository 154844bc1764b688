#pragma once
// What this node knows of who leads, and what clients are told of it.

#include <string>

#include "paxos/node/node.h"
#include "rpc/failure.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class Leadership {
 public:
  // Both outlive it.
  Leadership(const EventLoop& loop, const paxos::Node& node) : loop_(loop), node_(node) {}

  bool IsOwn() const { return replica().role() == paxos::Role::kLeader; }
  paxos::NodeId self() const { return replica().self().node; }
  // "n1"
  std::string Name() const { return StrCat("n", self().value()); }
  // Who is followed, or this node.
  paxos::NodeId Leader() const { return replica().leader(); }
  // Who is followed, or this node; kNoNode also if the one who is followed may be gone.
  paxos::NodeId LiveLeader() const;
  // Whether this node may be able to help soon, if it is not now.
  bool MayHelpSoon() const;
  // False while the node is not let into the cluster: its state is not even stale.
  bool TakesPart() const { return replica().takes_part(); }

  // ---- What clients are told ----

  // Adds who leads.
  Failure WithLeader(Failure failure) const;
  // Of what is served by the leader alone.
  Failure NotLeading(const char* verdict) const;
  // Of what needs a leader, and none is in reach. `verdict` says what has become of it.
  Failure NoLeader(const char* verdict) const;
  // Of a read, when its time is up.
  Failure NotConfirmed() const;
  // Of a stale read.
  Failure NoMember() const;
  Failure Closing() const;

 private:
  const paxos::Replica& replica() const { return node_.replica(); }
  std::string WhyNoLeader() const;

  const EventLoop& loop_;
  const paxos::Node& node_;
};

}  // namespace decree::rpc
