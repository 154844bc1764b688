#pragma once
// Lease arithmetic (rule 7): what an acceptor has granted, and what a leader holds.
//
// An acceptor that acknowledges a leader's probe grants it a lease: for L from the receipt it
// promises no ballot to another node. The leader counts from when it *sent* the probe, less a margin
// for clocks that run at different rates, so its lease ends before the grants that it rests on.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>

#include "paxos/base/time.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

// The acceptor's side. Grants are not durable: an acceptor that restarts cannot know what it granted
// and so refuses every promise for the longest lease there may have been.
class GrantedLease {
 public:
  // No promise to anyone before `refuse_until`.
  explicit GrantedLease(Time refuse_until) : refuse_until_(refuse_until) {}

  // Grants a lease to the leader of this ballot; true if it had none yet.
  bool Grant(Ballot ballot, Duration length, Time now);
  // The leader of this ballot has given its lease up. A grant under another ballot stays, whoever has it.
  void Waive(Ballot ballot);

  // How long after a restart nothing at all is promised yet.
  Duration RefusesFor(Time now) const { return std::max(Duration::zero(), refuse_until_ - now); }
  // How long promises to `node` are still ruled out; zero if they are not.
  Duration LeftAgainst(NodeId node, Time now) const;

 private:
  const Time refuse_until_;
  Ballot ballot_;  // of whom it was granted to; none: nobody
  Time until_;
};

// The leader's side: numbers the probes and knows since when each was answered by enough acceptors.
class HeldLease {
 public:
  // Holds nothing yet. Probes are numbered from `last_probe` on: an answer to an earlier one counts for nothing.
  explicit HeldLease(uint64_t last_probe) : last_probe_(last_probe) {}

  // Numbers a probe that is about to be sent.
  uint64_t NextProbe(Time now);
  uint64_t last_probe() const { return last_probe_; }
  void OnAck(NodeId from, uint64_t probe, Time now);

  // The newest probe that a lease quorum has acknowledged; 0 if there is none.
  uint64_t ConfirmedProbe(const Configuration& configuration) const;
  // Until when linearizable reads need no message. Time::min() if they do, and with leases off.
  Time HeldUntil(const Configuration& configuration) const;
  // The send time of the newest probe that `needed` voters have acknowledged; `started` if there is none.
  Time HeardSince(const Configuration& configuration, uint32_t needed, Time started) const;

 private:
  struct Probe {
    uint64_t number = 0;
    Time sent;
  };
  struct Acked {
    uint64_t probe = 0;
    Time sent;
  };

  // The `needed`-th best acknowledgement among the voters; a zero probe if there are fewer.
  Acked Best(const Configuration& configuration, uint32_t needed) const;

  std::deque<Probe> outstanding_;  // the newest ones, bounded
  uint64_t last_probe_;
  std::map<NodeId, Acked> acked_;
};

}  // namespace decree::paxos
