// The part of Replica that decides who leads: polls, standing, leading, stepping down, transfer.

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"
#include "paxos/core/number_check.h"
#include "paxos/core/replica.h"

namespace decree::paxos {
namespace {

// Whoever has missed so many heartbeats was not heard from lately.
constexpr int kHeardHeartbeats = 3;

}  // namespace

// ---- Elections (rule 8) ----

void Replica::StartPoll(Time now, Output& out) {
  // Without a new page or slot for so long: gives up the ballot, and polls again later.
  if (role_ == Role::kCandidate) return StepDown("phase1_timed_out", now, out);
  ForgetLeader(out);
  election_.Postpone(now);
  if (!has_begun()) return;
  if (!configuration_.IsVoter(self_.node) || !HasBallotsLeft(out)) return;
  const Poll poll = election_.StartPoll(NextBallot(), chosen_index());
  for (const Member& member : configuration_.members) {
    if (member.voter) outbox_.Send(member.id, Life(), poll);
  }
  contact_.OnAsked(configuration_, now);
}

Ballot Replica::NextBallot() const {
  return {.round = HighestRound() + 1, .node = self_.node};
}

bool Replica::HasBallotsLeft(Output& out) const {
  if (HighestRound() < kRoundMax) return true;
  out.problems.push_back(StrCat("no ballot is left above the promised one, ", acceptor_.promised().round,
                                ": a faulty member has used them up. This node does not stand for election"));
  return false;
}

void Replica::OnPoll(const Envelope& envelope, const Poll& poll, Time now) {
  NoteRound(poll.ballot);
  outbox_.Send(envelope.from, envelope.from_life, AnswerPoll(envelope.from, poll, now));
}

PollAnswer Replica::AnswerPoll(NodeId from, const Poll& poll, Time now) const {
  PollAnswer answer{.poll = poll.poll,
                    .granted = false,
                    .promised = WithinStep(acceptor_.promised(), poll.ballot),
                    .trim_point = kNoSlot,  // No log is trimmed yet.
                    .chosen_index = chosen_index(),
                    .lease_left = acceptor_.LeaseLeftAgainst(from, now)};
  const bool is_taken = role_ == Role::kLeader || election_.IsTaken(now);
  if (is_taken) PROBE("a poll was refused because somebody leads or is about to");
  // It would keep everybody waiting while it fetches; whoever has the most is never refused for this.
  const bool is_behind = poll.chosen_index < acceptor_.floor();
  if (is_behind) PROBE("a poll was refused because the poller is far behind");
  answer.granted = poll.ballot > acceptor_.promised() && !is_taken && !is_behind &&
                   answer.lease_left == Duration::zero();
  return answer;
}

void Replica::OnPollAnswer(const Envelope& envelope, const PollAnswer& answer, Time now, Output& out) {
  NoteRound(answer.promised);
  if (!election_.IsPolling()) return;
  learner_.OnKnownElsewhere(envelope.from, envelope.from_life, answer.chosen_index,
                            answer.trim_point, now, now);
  if (answer.lease_left > Duration::zero()) election_.TryAgainAfter(answer.lease_left, now);
  if (election_.OnAnswer(envelope.from, answer, configuration_)) Stand(Ballot(), now, out);
}

void Replica::OnStandNow(const Envelope& envelope, const StandNow& stand, Time now, Output& out) {
  // Whoever leads has heard its heir lately, so the heir has promised just that ballot.
  if (stand.ballot.node != envelope.from || stand.ballot != acceptor_.promised()) return;
  if (role_ != Role::kFollower || !configuration_.IsVoter(self_.node)) return;
  PROBE("leadership was handed over");
  ForgetLeader(out);
  acceptor_.OnWaiver(envelope.from, Waiver{.ballot = stand.ballot});
  const Duration left = acceptor_.LeaseLeftAgainst(self_.node, now);
  if (left == Duration::zero()) return Stand(stand.ballot, now, out);
  PROBE("an heir may not promise itself anything yet");
  election_.TryAgainAfter(left, now);
}

void Replica::Stand(Ballot waived, Time now, Output& out) {
  // A node that cannot write would lead badly: slow is worse than dead.
  if (IsLogStuck(now) || !HasBallotsLeft(out)) return;
  const Ballot ballot = NextBallot();
  NoteRound(ballot);
  election_.StopPolling();
  election_.OnProgress(now);
  role_ = Role::kCandidate;
  is_heir_ = !waived.IsNone();
  if (is_heir_) {
    predecessor_ = waived.node;
  } else if (leader_ballot_.node != self_.node) {
    predecessor_ = leader_ballot_.node;
  }
  leader_ballot_ = ballot;
  proposer_.Start(ballot, waived, chosen_index(), now, outbox_);
}

void Replica::TryToLead(Time now) {
  if (role_ != Role::kCandidate || !proposer_.MayPropose(configuration_, chosen_index())) return;
  proposer_.StartProposing(configuration_, chosen_index(), acceptor_, log_time_, now);
  role_ = Role::kLeader;
  if (!IsPlanted(PlantedBug::kLeaderTakesValues)) learner_.OnLeading();
  leader_ = self_.node;
  leader_ballot_ = proposer_.ballot();
  led_since_ = now;
  election_.OnLeading();
  lease_.Start();
  peers_.clear();
  const NodeId predecessor = std::exchange(predecessor_, kNoNode);
  LOG(INFO) << "n" << self_.node << " leads: ballot=" << proposer_.ballot() << " reason="
            << (is_heir_ ? "handed_over" : predecessor != kNoNode ? "leader_silent" : "no_leader")
            << " predecessor="
            << (predecessor != kNoNode ? StrCat("n", predecessor.value()) : std::string("none"))
            << " first_slot=" << chosen_index().Next()
            << " recovery_end=" << proposer_.recovery_end();
  SendHeartbeat(now);
}

// ---- Leading ----

void Replica::SendHeartbeat(Time now) {
  heartbeat_at_ = now + options_.heartbeat;
  const Heartbeat heartbeat{.ballot = proposer_.ballot(),
                            .probe = lease_.NextProbe(now),
                            .chosen_index = chosen_index()};
  for (const Member& member : configuration_.members) {
    outbox_.Send(member.id, Life(), heartbeat);
  }
  contact_.OnAsked(configuration_, now);
}

void Replica::OnHeartbeat(const Envelope& envelope, const Heartbeat& heartbeat, Time now, Output& out) {
  NoteRound(heartbeat.ballot);
  if (!acceptor_.OnHeartbeat(envelope, heartbeat, chosen_index(), configuration_.lease, now,
                             outbox_)) {
    return;
  }
  FollowLeader(envelope, heartbeat.ballot, heartbeat.chosen_index, now, out);
}

void Replica::OnHeartbeatAck(const Envelope& envelope, const HeartbeatAck& ack, Time now) {
  if (role_ != Role::kLeader || ack.ballot != proposer_.ballot()) return;
  lease_.OnAck(envelope.from, ack.probe, now);
  proposer_.OnVoterKnows(envelope.from, ack.chosen_index);
  PeerProgress& peer = peers_[envelope.from];
  peer.chosen_index = std::max(peer.chosen_index, ack.chosen_index);
  peer.heard = now;
  peer.ready_at = now + ack.refuses_for;
}

void Replica::OnWaiver(const Envelope& envelope, const Waiver& waiver, Time now, Output& out) {
  acceptor_.OnWaiver(envelope.from, waiver);
  if (leader_ != envelope.from || waiver.ballot != leader_ballot_) return;
  ForgetLeader(out);
  // It has said itself that it does not lead any more, so there is no timeout to wait for; but an heir
  // goes first.
  if (role_ == Role::kFollower) election_.TryAgainAfter(options_.heartbeat, now);
}

void Replica::FollowLeader(const Envelope& envelope, Ballot ballot, Slot chosen_index, Time now,
                           Output& out) {
  const NodeId leader = envelope.from;
  // The acceptor has let the ballot pass, so it is the highest that counts; `leader_ballot_` may be
  // higher, of an attempt to lead that our own acceptor refused.
  if (leader == self_.node) return;
  CheckAnnounced(ballot, chosen_index, now, out);
  if (is_halted()) return;
  if (role_ != Role::kFollower) StepDown("higher_ballot", now, out);
  if (leader_ != leader || leader_ballot_ != ballot) {
    ForgetLeader(out);
    leader_ = leader;
    leader_ballot_ = ballot;
  }
  election_.OnLeaderHeard(now);
  learner_.OnAnnounced(leader, envelope.from_life, ballot, chosen_index, now);
}

void Replica::ForgetLeader(Output& out) {
  leader_ = kNoNode;
  election_.ForgetLeader();
  RefuseAsked(RefusedRead::Reason::kLeaderChanged, out);
}

void Replica::CheckQuorum(Time now, Output& out) {
  if (role_ != Role::kLeader) return;
  if (IsLogStuck(now)) return StepDown("log_stuck", now, out);
  const uint32_t needed = std::max(configuration_.q2, configuration_.LeaseQuorum());
  const Time heard = lease_.HeardSince(configuration_, needed, led_since_);
  // A leader that steps down in time serves nothing stale even without a lease.
  if (now - heard > options_.election_timeout_min && !IsPlanted(PlantedBug::kReadWithoutLease)) {
    PROBE("a leader stepped down because its quorum was silent");
    StepDown("quorum_silent", now, out);
  }
}

bool Replica::IsLeaderSilent(Time now) const {
  if (leader_ == kNoNode || leader_ == self_.node) return false;
  return now - election_.leader_heard() > kHeardHeartbeats * options_.heartbeat;
}

bool Replica::IsLogStuck(Time now) const {
  const std::optional<Time> oldest = outbox_.OldestPending();
  return oldest.has_value() && now - *oldest > options_.election_timeout_min;
}

// ---- Ceasing to lead ----

TransferResult Replica::TransferLeadership(NodeId heir, Time now, Output& out) {
  BeginInput(now, out);
  const TransferResult result = CheckHeir(heir, now);
  if (result == TransferResult::kBegun) {
    heir_ = heir;
    if (!transfer_until_.has_value()) transfer_until_ = now + options_.election_timeout_min;
    proposer_.Close(out);
  }
  EndInput(now, out);
  return result;
}

TransferResult Replica::CheckHeir(NodeId heir, Time now) const {
  if (role_ != Role::kLeader) return TransferResult::kNotLeader;
  if (heir == kNoNode) return TransferResult::kBegun;
  if (heir == self_.node || !configuration_.IsVoter(heir)) return TransferResult::kNoVoter;
  const auto peer = peers_.find(heir);
  if (peer == peers_.end() || !IsHeard(peer->second, now)) return TransferResult::kHeirUnheard;
  if (peer->second.ready_at > now) return TransferResult::kHeirUnready;
  if (peer->second.chosen_index < acceptor_.floor()) return TransferResult::kHeirBehind;
  return TransferResult::kBegun;
}

bool Replica::IsHeard(const PeerProgress& peer, Time now) const {
  return now - peer.heard <= kHeardHeartbeats * options_.heartbeat;
}

void Replica::FinishTransfer(Time now, Output& out) {
  if (!transfer_until_.has_value() || role_ != Role::kLeader) return;
  if (proposer_.slots_in_flight() > 0 && now < *transfer_until_) return;
  const NodeId heir = heir_ == kNoNode ? MostAdvancedPeer(now) : heir_;
  const Ballot ballot = proposer_.ballot();
  StepDown("transfer", now, out);
  if (heir != kNoNode) outbox_.Send(heir, Life(), StandNow{.ballot = ballot});
}

NodeId Replica::MostAdvancedPeer(Time now) const {
  NodeId best = kNoNode;
  for (const auto& [node, peer] : peers_) {
    if (node == self_.node || !configuration_.IsVoter(node)) continue;
    if (!IsHeard(peer, now)) continue;
    const auto rank = [&](const PeerProgress& it) {
      return std::pair(it.ready_at <= now, it.chosen_index);
    };
    if (best == kNoNode || rank(peer) > rank(peers_.at(best))) best = node;
  }
  return best;
}

void Replica::StepDown(const char* reason, Time now, Output& out) {
  const Ballot ballot = proposer_.ballot();
  if (role_ == Role::kLeader) {
    LOG(INFO) << "n" << self_.node << " steps down: ballot=" << ballot << " reason=" << reason;
    // Withdrawn first: once a waiver has left, this ballot must never hold a lease (rule 7).
    lease_.Withdraw();
    CHECK(lease_.HeldUntil(configuration_) == Time::min());
    for (const Member& member : configuration_.members) {
      outbox_.Send(member.id, Life(), Waiver{.ballot = ballot});
    }
  } else {
    VLOG(1) << "n" << self_.node << " gives up: ballot=" << ballot << " reason=" << reason;
  }
  proposer_.Stop(out);
  learner_.OnFollowing(now);
  heartbeat_at_ = kTimeNever;
  transfer_until_.reset();
  RefuseLeaderReads(out);
  if (leader_ == self_.node) leader_ = kNoNode;
  role_ == Role::kCandidate ? election_.OnGaveUp(now) : election_.Postpone(now);
  role_ = Role::kFollower;
}

void Replica::NoteRound(Ballot ballot) {
  highest_round_ = std::max(highest_round_, ballot.round);
}

}  // namespace decree::paxos
