#pragma once
// How a new cluster begins (rule 10): when all its first members have met once.
//
// When a directory is formatted nobody can know the incarnations of the others, and whoever trusted the
// first to come could make a quorum of a node that has lost its disk and one that was never reached. So:
//
//   strangers ──every member heard──► written ──all report the same set──► begun
//                                        └── a member that has begun reports it ──┘
//
// A set is reported as whole only when it is durable, and then it never changes. Two nodes that begin have
// both heard from a whole set's members that they hold it, so they hold the same, and every member of it
// remembers it: a member that was formatted anew later is known to be somebody else everywhere.
//
// A part of the core: single-threaded, does no I/O.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/record.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class FirstMeeting {
 public:
  // What is wrong with the roster in `recovered`, in words for the operator.
  static Status Check(const Identity& self, const RecoveredState& recovered);
  // `recovered` has been checked. Whoever has promised, voted or learnt anything has begun before.
  FirstMeeting(const Identity& self, const RecoveredState& recovered, Time now);

  bool has_begun() const { return has_begun_; }
  // The incarnations of all members; empty before this node has heard them all.
  Roster roster() const { return is_kept_ || has_begun_ ? heard_ : Roster(); }

  // Introduces this node to the others, again and again until the cluster has begun.
  void OnTick(Duration interval, Time now, Outbox& outbox);
  void OnIntroduction(const Envelope& envelope, const Introduction& introduction, Outbox& outbox);
  Time NextDeadline() const { return next_at_; }

  // What keeps the cluster from beginning, in words for the operator: who is missing, and what does not
  // fit. Empty when it has begun, and never before.
  std::vector<std::string> Obstacles() const;

 private:
  bool HasHeardAll() const { return heard_.size() == members_.size(); }
  // Tells the others what is known here, as soon as it is durable.
  void IntroduceToOthers(Outbox& outbox) const;
  // What does not fit about an introduction; empty if all does.
  std::string Contradiction(const Envelope& envelope, const Introduction& introduction) const;
  void KeepOnceWhole(Outbox& outbox);

  const Identity self_;
  std::set<NodeId> members_;
  Roster heard_;
  bool is_kept_ = false;                          // the whole set has been handed out to be written
  Ticket kept_;                                   // which this completes
  std::set<NodeId> agreed_;                       // that have reported the whole set, this node's own report included
  std::map<NodeId, std::string> contradictions_;  // by whose introduction showed them
  bool has_begun_ = false;
  Time next_at_;
};

}  // namespace decree::paxos
