#pragma once
// When to stand for election, and whether to let another stand (rule 8).
//
// A node first polls whether a Prepare would succeed. A poll changes nothing durable, so a node that
// comes back from a partition does not depose a leader that is well.

#include <cstdint>

#include "paxos/base/random.h"
#include "paxos/base/time.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/tally.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Election {
 public:
  Election(const Options& options, Random random, Time now);

  // A leader showed itself: no election for a while.
  void OnLeaderHeard(Time now);
  // A promise, or a page of one, was given for the first time: the candidate gets its chance. Else a
  // second one would depose it in the midst of its phase 1, for ever.
  void OnPromiseGiven(Time now);
  // This node stands, or its candidature has got on: a page came in, or a slot that it lacked. The next may
  // take a timeout; longer after each failure, for a page of one large entry may need that on a slow link.
  void OnProgress(Time now);
  // This node's candidature has failed: waits a random time, longer with each in a row.
  void OnGaveUp(Time now);
  // This node leads.
  void OnLeading() { failures_ = 0; }
  // Waits a random timeout before the next attempt.
  void Postpone(Time now);
  // A lease forbids an election for so long: tries again soon after, if that is earlier.
  void TryAgainAfter(Duration left, Time now);
  // Somebody leads, or is about to: within the smallest election timeout a leader was heard, or a
  // promise was given.
  bool IsTaken(Time now) const;
  // When a leader was heard last; Time::min() if nobody leads.
  Time leader_heard() const { return leader_heard_; }
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
  Time promise_given_ = Time::min();
  uint32_t failures_ = 0;  // candidatures in a row that came to nothing
  uint64_t poll_ = 0;
  bool polling_ = false;
  Tally granted_;
};

}  // namespace decree::paxos
