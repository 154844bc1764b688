#pragma once
// The proposer: owns this node's ballot and drives it through both phases.
//
// Phase 1 runs once per leadership. Then it proposes again what phase 1 found, closes holes with
// no-ops, and goes on with new commands (rules 2 and 3). A slot that changes the configuration is a
// barrier: nothing is proposed after it until it is chosen (rule 9).

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "paxos/base/time.h"
#include "paxos/core/acceptor/acceptor.h"
#include "paxos/core/proposer/command_queue.h"
#include "paxos/core/proposer/phase1.h"
#include "paxos/core/proposer/phase2.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Proposer {
 public:
  enum class State {
    kIdle,       // no ballot of ours is in use
    kPreparing,  // phase 1
    kProposing,  // phase 2: this node leads
  };

  Proposer(const Options& options, NodeId self);

  // ---- Phase 1 ----

  // Begins phase 1. Only this node's own acceptor is asked at first: the others hear of the ballot
  // once its promise is durable here, so that no ballot is used twice (rule 1).
  // `waived`: of the leader that has handed over to this node; none if nobody has.
  void Start(Ballot ballot, Ballot waived, Slot chosen_index, Time now, Outbox& outbox);
  // True if the page was new.
  bool OnPromise(const Envelope& envelope, const Promise& promise, const Configuration& configuration, Time now,
                 Outbox& outbox);
  // Every page of a quorum's promises is in, and nothing is missing that they know to be chosen.
  bool MayPropose(const Configuration& configuration, Slot chosen_index) const;
  const Phase1& phase1() const { return phase1_; }

  // ---- Phase 2 ----

  // Takes up what phase 1 found above the chosen index, up to the first change of configuration.
  // `log_time` is the highest of all chosen entries. Requires MayPropose.
  void StartProposing(const Configuration& configuration, Slot chosen_index, const Acceptor& acceptor, LogTime log_time,
                      Time now);
  // The chosen index reached a barrier, so another configuration governs what follows. Goes on if
  // enough promises are at hand for it, else prepares again under the same ballot.
  void OnConfiguration(const Configuration& configuration, Slot chosen_index, const Acceptor& acceptor, Time now,
                       Outbox& outbox);
  // Puts in flight what there is room for, and sends it.
  void Pump(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox, Output& out);
  // What got its quorum with these votes.
  std::vector<SlotEntry> OnAccepted(NodeId from, const Accepted& accepted, const Configuration& configuration) {
    return phase2_.OnAccepted(from, accepted, configuration);
  }
  void OnVoterKnows(NodeId voter, Slot chosen_index) { phase2_.OnVoterKnows(voter, chosen_index); }
  void CheckChosen(Slot chosen_index) const { phase2_.CheckChosen(chosen_index); }

  void OnTick(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox);
  Time NextDeadline() const;

  // Gives up the ballot; what waited for a slot is dropped.
  void Stop(Output& out);
  // Takes no more commands, so that what is in flight can end.
  void Close(Output& out);

  CommandQueue& queue() { return queue_; }
  const CommandQueue& queue() const { return queue_; }

  State state() const { return state_; }
  Ballot ballot() const { return ballot_; }
  bool is_closed() const { return closed_; }
  // The last slot that a former leader may have had chosen: reads wait for it to be applied.
  Slot recovery_end() const { return recovery_end_; }
  // All that phase 1 found has been proposed, and a barrier, if any, has been passed.
  bool HasRecovered() const {
    return state_ == State::kProposing && recovery_.empty() && barrier_ == kNoSlot && is_planned_;
  }
  size_t slots_in_flight() const { return phase2_.slots(); }

 private:
  void Plan(const Configuration& configuration, Slot chosen_index, const Acceptor& acceptor);
  // What is to be proposed at a slot that phase 1 covered; null if its value is chosen already.
  EntryPtr ValueFor(Slot slot, const Acceptor& acceptor) const;
  void SendPrepare(NodeId to, LogPosition position, Outbox& outbox) const;
  // The first Prepare, to this node's own acceptor.
  void BeginPreparing(Slot first_slot, Time now, Outbox& outbox);
  void SendPrepares(const Configuration& configuration, Outbox& outbox);
  void ProposeRecovered(Slot last_slot);
  void ProposeBatches(Slot last_slot, Time now, Output& out);
  void Propose(Slot slot, EntryPtr entry);
  LogTime LogTimeAt(Time now) const;

  const Options options_;
  const NodeId self_;
  State state_ = State::kIdle;
  Ballot ballot_;
  Ballot waived_;
  bool closed_ = false;

  Phase1 phase1_;
  Time prepare_again_at_ = kTimeNever;
  Duration prepare_wait_ = Duration::zero();  // twice as long each time, until a page comes

  Phase2 phase2_;
  CommandQueue queue_;
  std::deque<SlotEntry> recovery_;  // found by phase 1, not yet in flight
  bool is_planned_ = false;         // `recovery_` holds all that governs up to the barrier
  Slot barrier_;                    // a change of configuration that is not chosen yet
  Slot next_slot_;                  // for the next new value
  Slot recovery_end_;

  LogTime log_time_base_;  // at `led_since_`
  Time led_since_;
};

}  // namespace decree::paxos
