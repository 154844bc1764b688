#pragma once
// What this node knows about who leads, and what clients are told about it.

#include <string>

#include "paxos/node/node.h"
#include "rpc/failure.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class Leadership {
 public:
  // The arguments outlive it.
  Leadership(const EventLoop& loop, const paxos::Node& node) : loop_(loop), node_(node) {}

  bool IsOwn() const { return replica().role() == paxos::Role::kLeader; }
  paxos::NodeId self() const { return replica().self().node; }
  // This node's name, such as "n1".
  std::string Name() const { return StrCat("n", self().value()); }
  // The leader that is followed, or this node; kNoNode if there is none.
  paxos::NodeId Leader() const { return replica().leader(); }
  // The same, but kNoNode also if the leader that is followed may be gone.
  paxos::NodeId LiveLeader() const;
  // Whether this node may be able to help soon, if it cannot now.
  bool MayHelpSoon() const;
  // False while the node is not let into the cluster: its state is not even stale.
  bool TakesPart() const { return replica().takes_part(); }

  // ---- What clients are told ----

  // Adds the leader to a failure.
  Failure WithLeader(Failure failure) const;
  // The failure of what the leader alone serves.
  Failure NotLeading(const char* verdict) const;
  // The failure of what needs a leader while none is in reach. `verdict` says what has become of it.
  Failure NoLeader(const char* verdict) const;
  // The failure of a read whose time is up.
  Failure NotConfirmed() const;
  // The failure of a stale read.
  Failure NoMember() const;
  Failure Closing() const;

 private:
  const paxos::Replica& replica() const { return node_.replica(); }
  std::string WhyNoLeader() const;

  const EventLoop& loop_;
  const paxos::Node& node_;
};

}  // namespace decree::rpc
