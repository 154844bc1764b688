#pragma once
// What a node holds only while it leads: its lease, what it knows of the others, and the transfer that it may
// have begun. Created when phase 1 is complete; destroyed when the node ceases to lead, and the lease with it,
// before any message can say so (rule 7).
//
// Passive, single-threaded, sends nothing itself: `Replica` drives it.

#include <cstdint>
#include <map>
#include <optional>

#include "paxos/base/time.h"
#include "paxos/core/acceptor/lease.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

enum class TransferResult {
  kBegun,
  kNotLeader,
  kNoVoter,      // the heir does not belong to the voters, or leads already
  kHeirUnheard,  // it was not heard from lately
  kHeirUnready,  // it has just started, and sits out the lease that it may have granted
  kHeirBehind,   // it would keep everybody waiting while it catches up
};

class Leadership {
 public:
  // `last_probe` is that of this node's former leadership: numbers go on from there, so an answer to an
  // earlier probe matches nothing.
  Leadership(const Options& options, NodeId self, uint64_t last_probe, Time now);

  // ---- Heartbeats ----

  // The heartbeat to send to all members now; the next one is due a heartbeat interval later.
  Heartbeat NextHeartbeat(Ballot ballot, Slot chosen_index, Time now);
  Time heartbeat_at() const { return heartbeat_at_; }
  // An answer under this leadership's ballot.
  void OnHeartbeatAck(NodeId from, const HeartbeatAck& ack, Time now);
  const HeldLease& lease() const { return lease_; }
  // True if no quorum that could choose a value and renew the lease has answered for an election timeout.
  bool IsQuorumSilent(const Configuration& configuration, Time now) const;

  // ---- Transfer ----

  // Whether this peer may take over. What it lacks up to `dropped_index` would
  // have to be read from the log for it.
  TransferResult CheckHeir(NodeId heir, const Configuration& configuration, Slot dropped_index, Time now) const;
  // `heir` may be kNoNode: then the most advanced peer takes over. One that comes later only changes the heir.
  void BeginTransfer(NodeId heir, Time now);
  bool IsTransferring() const { return transfer_until_.has_value(); }
  // True when what was in flight has ended, or has had its time.
  bool IsTransferDue(size_t slots_in_flight, Time now) const;
  // The node that takes over; kNoNode if nobody is there to do it.
  NodeId Heir(const Configuration& configuration, Time now) const;

  Time NextDeadline() const;

 private:
  struct Peer {
    Slot chosen_index;
    Time heard;
    Time ready_at;  // it promises nothing before, not even to itself
  };

  bool IsHeard(const Peer& peer, Time now) const { return now - peer.heard <= options_.HeardFor(); }
  // Among the voters heard from lately; kNoNode if there are none.
  NodeId MostAdvancedPeer(const Configuration& configuration, Time now) const;

  const Options options_;
  const NodeId self_;
  const Time since_;
  HeldLease lease_;
  Time heartbeat_at_;
  std::map<NodeId, Peer> peers_;        // as they last told
  std::optional<Time> transfer_until_;  // set while a transfer waits for what is in flight
  NodeId heir_;                         // of that transfer
};

}  // namespace decree::paxos
