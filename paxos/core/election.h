#pragma once
// When to stand for election, and whether to let another stand (rule 8).
//
// A node first polls whether a Prepare would succeed. A poll changes nothing durable, so a node that
// comes back from a partition does not depose a leader that is well.

#include <cstdint>

#include "paxos/base/random.h"
#include "paxos/base/time.h"
#include "paxos/core/membership.h"
#include "paxos/core/message.h"
#include "paxos/core/options.h"
#include "paxos/core/tally.h"
#include "paxos/core/types.h"

namespace decree::paxos {

class Election {
 public:
  Election(const Options& options, Random random, Time now);

  // A leader showed itself: no election for a while.
  void OnLeaderHeard(Time now);
  // Waits a random timeout before the next attempt.
  void Postpone(Time now);
  // A lease forbids an election for so long: tries again soon after, if that is earlier.
  void TryAgainAfter(Duration left, Time now);
  // A leader was heard within the smallest election timeout.
  bool IsLeaderAlive(Time now) const;
  // Nobody leads any more, as far as this node is concerned.
  void ForgetLeader() { leader_heard_ = Time::min(); }

  // Begins a poll for this ballot.
  Poll StartPoll(Ballot ballot, Slot chosen_index);
  // Counts an answer; true when a phase-1 quorum has said yes, once.
  bool OnAnswer(NodeId from, const PollAnswer& answer, const Configuration& configuration);
  bool IsPolling() const { return polling_; }
  void StopPolling() { polling_ = false; }

  // When to poll (again).
  Time deadline() const { return deadline_; }

 private:
  const Options options_;
  Random random_;
  Time deadline_;
  Time leader_heard_ = Time::min();
  uint64_t poll_ = 0;
  bool polling_ = false;
  Tally granted_;
};

}  // namespace decree::paxos
