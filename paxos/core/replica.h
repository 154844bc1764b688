#pragma once
// One node's part in the protocol: joins acceptor, proposer, learner and election. Every input
// enters here.
//
// Single-threaded, does no I/O, reads no clock: the caller passes the time, carries out the `Output`
// and reports back. `decreed` drives it with an event loop, the simulator with virtual time.
// Calls only append to `out`. Time never goes back between calls.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "paxos/base/random.h"
#include "paxos/base/time.h"
#include "paxos/core/acceptor/acceptor.h"
#include "paxos/core/first_meeting.h"
#include "paxos/core/leader/election.h"
#include "paxos/core/leader/leadership.h"
#include "paxos/core/leader/quorum_contact.h"
#include "paxos/core/leader/reads.h"
#include "paxos/core/learner/learner.h"
#include "paxos/core/learner/supply.h"
#include "paxos/core/proposer/proposer.h"
#include "paxos/core/protocol/command_bytes.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/record.h"

namespace decree::paxos {

enum class ProposeResult {
  kQueued,      // A Placement or a DroppedProposal will name the id.
  kNotLeader,   // Nothing was kept; `leader()` may know who leads.
  kOverloaded,  // Too many bytes are waiting; nothing was kept.
  kTooLarge,    // Above command_bytes_max; nothing was kept.
};

class Replica {
 public:
  // `options` and `recovered` have been validated. `random` drives the election timeouts only.
  Replica(const Options& options, const Identity& self, const RecoveredState& recovered, Random random, Time now);

  // ---- Inputs ----

  void OnMessage(const Envelope& envelope, Time now, Output& out);
  // Call it at `NextDeadline()`; more often does no harm.
  void OnTick(Time now, Output& out);
  // The batch with this ticket, and all before it, are durable.
  void OnDurable(Ticket ticket, Time now, Output& out);
  // The state machine holds the effects of all slots up to here.
  void OnApplied(Slot slot, Time now, Output& out);
  // What the log held of what was asked for, slot after slot; nothing if it lacks the first.
  void OnLogRead(const LogRead& read, std::vector<SlotEntry> entries, Time now, Output& out);

  // Queues a command. It is proposed by the next Flush that finds room in flight, or dropped once
  // `deadline` has passed before that.
  ProposeResult Propose(ProposalId id, CommandBytes command, Time deadline);
  // Asks for a linearizable read. Granted at once under the lease, else after a round of messages.
  void Read(ReadId id, Time now, Output& out);
  // Proposes what has gathered and asks for what reads need, to be called when all inputs at hand
  // are in: a batch is whatever came while the last one was on its way.
  void Flush(Time now, Output& out);
  // Hands leadership to `heir`, or, if that is kNoNode, to the most advanced peer: steps down as soon as
  // what is in flight has ended; nothing more is proposed here until another election. Without a peer to
  // choose it steps down all the same.
  TransferResult TransferLeadership(NodeId heir, Time now, Output& out);

  // ---- Questions ----

  Role role() const;
  // The leader, as far as this node knows; kNoNode if it knows none.
  NodeId leader() const { return leader_; }
  // The ballot of the leader that this node follows, or its own.
  Ballot ballot() const { return leader_ballot_; }
  Ballot promised() const { return acceptor_.promised(); }
  Slot chosen_index() const { return learner_.chosen_index(); }
  Slot applied() const { return applied_; }
  // Tells the incarnations as soon as this node has heard all first members.
  const Configuration& configuration() const { return configuration_; }
  // Neither promises nor votes before it has (rule 10).
  bool has_begun() const { return meeting_.has_begun(); }
  const FirstMeeting& meeting() const { return meeting_; }
  // It has taken part, and does no more until an operator has seen to it.
  bool is_halted() const { return !halted_.empty(); }
  // Whether this node promises, votes, and may serve anything, stale reads included.
  bool takes_part() const { return has_begun() && !is_halted(); }
  // Why it does not; one line each, with what to do about it.
  std::vector<std::string> Obstacles() const;
  // It follows nobody and hears no quorum: whatever must be fresh is better asked of another node. Never true of
  // a leader, for one that hears no quorum steps down.
  bool IsCutOff(Time now) const { return CutOffAt() <= now; }
  // When that turns true unless a quorum is heard before; kTimeNever if none is waited for.
  Time CutOffAt() const;
  // The leader that it follows has missed some heartbeats, and may be gone.
  bool IsLeaderSilent(Time now) const;
  const Identity& self() const { return self_; }
  // Until when this node may answer linearizable reads without a message; Time::min() if not at all.
  Time LeaseUntil() const;
  // How much longer that is; zero if not at all.
  Duration LeaseLeft(Time now) const;
  const ReadCounts& read_counts() const { return reads_.counts(); }
  // The earliest time at which OnTick has something to do.
  Time NextDeadline() const;
  // Bytes of commands that wait for a slot.
  size_t pending_bytes() const { return proposer_.queue().bytes(); }
  const Acceptor& acceptor() const { return acceptor_; }
  const Learner& learner() const { return learner_; }
  const Proposer& proposer() const { return proposer_; }

 private:
  // What a node holds only while it stands for election.
  struct Candidature {
    const char* reason = "";  // for the log
  };
  // The node that led last, for the log.
  struct Predecessor {
    NodeId node;                    // kNoNode if none is known
    bool has_stepped_down = false;  // else it fell silent, or was not heard by others
  };

  // ---- Messages ----

  void OnIntroduction(const Envelope& envelope, const Introduction& introduction);
  void OnPoll(const Envelope& envelope, const Poll& poll, Time now);
  void OnPollAnswer(const Envelope& envelope, const PollAnswer& answer, Time now, Output& out);
  void OnPrepare(const Envelope& envelope, const Prepare& prepare, Time now, Output& out);
  void OnPromise(const Envelope& envelope, const Promise& promise, Time now);
  void OnAccept(const Envelope& envelope, const Accept& accept, Time now, Output& out);
  void OnAccepted(const Envelope& envelope, const Accepted& accepted);
  void OnNack(const Envelope& envelope, const Nack& nack, Time now, Output& out);
  void OnHeartbeat(const Envelope& envelope, const Heartbeat& heartbeat, Time now, Output& out);
  void OnHeartbeatAck(const Envelope& envelope, const HeartbeatAck& ack, Time now);
  void OnWaiver(const Envelope& envelope, const Waiver& waiver, Time now, Output& out);
  void OnStandNow(const Envelope& envelope, const StandNow& stand, Time now, Output& out);
  void OnFetch(const Envelope& envelope, const Fetch& fetch, Output& out);
  void OnFetchAnswer(const Envelope& envelope, const FetchAnswer& answer, Time now);
  void OnReadIndexRequest(const Envelope& envelope, const ReadIndexRequest& request, Time now, Output& out);
  void OnReadIndexAnswer(const Envelope& envelope, const ReadIndexAnswer& answer, Time now, Output& out);

  // Why this message is dropped unread; null if it is not.
  const char* WhyIgnored(const Envelope& envelope) const;
  // False, and told to the operator, if it names numbers that no honest peer can name.
  bool HasSoundNumbers(const Envelope& envelope, Output& out) const;
  uint64_t HighestRound() const { return std::max(acceptor_.promised().round, highest_round_); }
  void Dispatch(const Envelope& envelope, Time now, Output& out);

  // ---- What every input ends with ----

  // A leader that was held up for too long may have been replaced: it must not go on.
  void BeginInput(Time now, Output& out);
  // Handles messages to this node itself, advances what can be advanced, and fills `out`.
  void EndInput(Time now, Output& out);
  void AdvanceChosen(Time now, Output& out);
  // Whether values may be taken from others.
  bool MayFetch() const;
  void OnConflict(const ValueConflict& conflict, Time now, Output& out);
  // Proof, if the leader of this ballot has proposed another value for a slot that it announces here.
  void CheckAnnounced(Ballot ballot, Slot chosen_index, Time now, Output& out);
  void Halt(std::string reason, Time now, Output& out);
  void TakeConfiguration(const Entry& entry, Time now, Output& out);
  void DropTail();

  // ---- Who leads ----

  void FollowLeader(const Envelope& envelope, Ballot ballot, Slot chosen_index, Time now, Output& out);
  void ForgetLeader(const char* reason, Output& out);
  void LoseLeader(Output& out);
  // Why another than the last one leads, or is to lead.
  const char* WhyNewLeader() const;
  void StartPoll(Time now, Output& out);
  Ballot NextBallot() const;
  // False, and told to the operator, if there are none left.
  bool HasBallotsLeft(Output& out) const;
  void NoteRound(Ballot ballot);
  // Why the poller may not stand; null if it may.
  const char* WhyNotGranted(const Poll& poll, Duration lease_left, Time now) const;
  // `waived`: of the leader that has handed over; none if this node stands by itself.
  void Stand(Ballot waived, Time now, Output& out);
  void TryToLead(Time now);
  void StepDown(const char* reason, Time now, Output& out);
  void CheckQuorum(Time now, Output& out);
  void SendHeartbeat(Time now);
  void FinishTransfer(Time now, Output& out);
  void HandOver(Time now, Output& out);
  TransferResult CheckHeir(NodeId heir, Time now) const;
  // The lease ends with it, before anybody can be told.
  void EndLeading();
  bool IsLogStuck(Time now) const;

  // ---- Reads ----

  // The slots that a former leader may have had chosen are applied, so the state is current.
  bool MayServeReads() const;
  // While leading.
  LeaderView ViewForReads(Time now) const;
  void ServeReads(Time now, Output& out);

  const Options options_;
  const Identity self_;
  Configuration configuration_;  // governs the slot after the chosen index

  Outbox outbox_;
  FirstMeeting meeting_;
  Acceptor acceptor_;
  Learner learner_;
  Supply supply_;
  Proposer proposer_;
  Election election_;
  QuorumContact contact_;
  Reads reads_;

  Slot noticed_;  // chosen entries up to here have had their effect on this object
  Slot applied_;
  LogTime log_time_;                      // the highest of all chosen entries
  std::optional<ValueConflict> refused_;  // under the newest ballot, at its lowest slot
  std::string halted_;                    // why this node does nothing more; empty if all is well
  NodeId leader_;
  Ballot leader_ballot_;
  Predecessor predecessor_;
  uint64_t highest_round_ = 0;  // seen anywhere
  Time last_input_;

  std::optional<Candidature> candidature_;  // one of these at most
  std::optional<Leadership> leadership_;
  uint64_t last_probe_ = 0;  // of the last leadership that has ended
};

}  // namespace decree::paxos
