// The part of Replica that deals with who leads: polls, standing, leading, following, stepping down, transfer.

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"
#include "paxos/core/protocol/number_check.h"
#include "paxos/core/replica.h"

namespace decree::paxos {
namespace {

std::string NameOf(NodeId node) { return node == kNoNode ? "none" : StrCat("n", node.value()); }

}  // namespace

// ---- Elections (rule 8) ----

void Replica::StartPoll(Time now, Output& out) {
  // Without a new page or slot for so long: gives up the ballot, and polls again later.
  if (candidature_) return StepDown("phase1_timed_out", now, out);
  ForgetLeader("leader_silent", out);
  election_.Postpone(now);
  if (!has_begun()) return;
  if (!configuration_.IsVoter(self_.node) || !HasBallotsLeft(out)) return;
  const Poll poll = election_.StartPoll(NextBallot(), chosen_index());
  VLOG(1) << "n" << self_.node << " polls: ballot=" << poll.ballot << " chosen_index=" << poll.chosen_index;
  for (const Member& member : configuration_.members) {
    if (member.voter) outbox_.Send(member.id, Life(), poll);
  }
  contact_.OnAsked(configuration_, now);
}

Ballot Replica::NextBallot() const { return {.round = HighestRound() + 1, .node = self_.node}; }

bool Replica::HasBallotsLeft(Output& out) const {
  if (HighestRound() < kRoundMax) return true;
  out.problems.push_back(StrCat("no ballot is left above the promised one, ", acceptor_.promised().round,
                                ": a faulty member has used them up. This node does not stand for election"));
  return false;
}

void Replica::OnPoll(const Envelope& envelope, const Poll& poll, Time now) {
  NoteRound(poll.ballot);
  const Duration lease_left = acceptor_.LeaseLeftAgainst(envelope.from, now);
  const char* const reason = WhyNotGranted(poll, lease_left, now);
  VLOG(1) << "n" << self_.node << (reason == nullptr ? " grants" : " refuses") << " n" << envelope.from
          << "'s poll: ballot=" << poll.ballot << " promised=" << acceptor_.promised()
          << " reason=" << (reason == nullptr ? "none" : reason);
  outbox_.Send(envelope.from, envelope.from_life,
               PollAnswer{.poll = poll.poll,
                          .granted = reason == nullptr,
                          .promised = WithinStep(acceptor_.promised(), poll.ballot),
                          .trim_point = kNoSlot,  // No log is trimmed yet.
                          .chosen_index = chosen_index(),
                          .lease_left = lease_left});
}

const char* Replica::WhyNotGranted(const Poll& poll, Duration lease_left, Time now) const {
  if (poll.ballot <= acceptor_.promised()) return "higher_ballot_promised";
  if (leadership_ || election_.IsTaken(now)) {
    RARE_CASE("a poll was refused because somebody leads or is about to");
    return "somebody_leads";
  }
  // It would keep everybody waiting while it fetches; whoever has the most is never refused for this.
  if (poll.chosen_index < acceptor_.dropped_index()) {
    RARE_CASE("a poll was refused because the poller is far behind");
    return "poller_far_behind";
  }
  return lease_left > Duration::zero() ? "lease_granted" : nullptr;
}

void Replica::OnPollAnswer(const Envelope& envelope, const PollAnswer& answer, Time now, Output& out) {
  NoteRound(answer.promised);
  if (!election_.IsPolling()) return;
  learner_.OnKnownElsewhere(envelope.from, envelope.from_life, answer.chosen_index, answer.trim_point, now, now);
  if (answer.lease_left > Duration::zero()) election_.TryAgainAfter(answer.lease_left, now);
  if (election_.OnAnswer(envelope.from, answer, configuration_)) Stand(Ballot(), now, out);
}

void Replica::OnStandNow(const Envelope& envelope, const StandNow& stand, Time now, Output& out) {
  // A leader has heard its heir lately, so the heir has promised just that ballot.
  if (stand.ballot.node != envelope.from || stand.ballot != acceptor_.promised()) return;
  if (role() != Role::kFollower || !configuration_.IsVoter(self_.node)) return;
  RARE_CASE("leadership was handed over");
  ForgetLeader("handed_over", out);
  acceptor_.OnWaiver(envelope.from, Waiver{.ballot = stand.ballot});
  const Duration left = acceptor_.LeaseLeftAgainst(self_.node, now);
  if (left == Duration::zero()) return Stand(stand.ballot, now, out);
  RARE_CASE("an heir may not promise itself anything yet");
  election_.TryAgainAfter(left, now);
}

void Replica::Stand(Ballot waived, Time now, Output& out) {
  // A node that cannot write would lead badly: slow is worse than dead.
  if (IsLogStuck(now) || !HasBallotsLeft(out)) return;
  const Ballot ballot = NextBallot();
  NoteRound(ballot);
  election_.StopPolling();
  election_.OnProgress(now);
  if (!waived.IsNone()) predecessor_ = {.node = waived.node, .has_stepped_down = true};
  candidature_ = {.reason = waived.IsNone() ? WhyNewLeader() : "handed_over"};
  VLOG(1) << "n" << self_.node << " stands: ballot=" << ballot << " reason=" << candidature_->reason;
  leader_ballot_ = ballot;
  proposer_.Start(ballot, waived, chosen_index(), now, outbox_);
}

void Replica::TryToLead(Time now) {
  if (!candidature_ || !proposer_.MayPropose(configuration_, chosen_index())) return;
  proposer_.StartProposing(configuration_, chosen_index(), acceptor_, log_time_, now);
  const Candidature candidature = *std::exchange(candidature_, std::nullopt);
  leadership_.emplace(options_, self_.node, last_probe_, now);
  if (!IsPlanted(PlantedBug::kLeaderTakesValues)) learner_.OnLeading();
  leader_ = self_.node;
  leader_ballot_ = proposer_.ballot();
  election_.OnLeading();
  LOG(INFO) << "n" << self_.node << " leads: ballot=" << proposer_.ballot() << " reason=" << candidature.reason
            << " predecessor=" << NameOf(predecessor_.node) << " first_slot=" << chosen_index().Next()
            << " recovery_end=" << proposer_.recovery_end();
  SendHeartbeat(now);
}

// ---- Leading ----

void Replica::SendHeartbeat(Time now) {
  const Heartbeat heartbeat = leadership_->NextHeartbeat(proposer_.ballot(), chosen_index(), now);
  for (const Member& member : configuration_.members) {
    outbox_.Send(member.id, Life(), heartbeat);
  }
  contact_.OnAsked(configuration_, now);
}

void Replica::OnHeartbeat(const Envelope& envelope, const Heartbeat& heartbeat, Time now, Output& out) {
  NoteRound(heartbeat.ballot);
  if (!acceptor_.OnHeartbeat(envelope, heartbeat, chosen_index(), configuration_.lease, now, outbox_)) {
    return;
  }
  FollowLeader(envelope, heartbeat.ballot, heartbeat.chosen_index, now, out);
}

void Replica::OnHeartbeatAck(const Envelope& envelope, const HeartbeatAck& ack, Time now) {
  if (!leadership_ || ack.ballot != proposer_.ballot()) return;
  const Time before = VLOG_IS_ON(1) ? leadership_->lease().HeldUntil(configuration_) : kTimeNever;
  leadership_->OnHeartbeatAck(envelope.from, ack, now);
  if (before <= now) {
    const Time until = leadership_->lease().HeldUntil(configuration_);
    VLOG_IF(1, until > now) << "n" << self_.node << " holds a lease: ballot=" << ack.ballot
                            << " ms=" << ToMilliseconds(until - now);
  }
  proposer_.OnVoterKnows(envelope.from, ack.chosen_index);
}

void Replica::OnWaiver(const Envelope& envelope, const Waiver& waiver, Time now, Output& out) {
  acceptor_.OnWaiver(envelope.from, waiver);
  if (leader_ != envelope.from || waiver.ballot != leader_ballot_) return;
  predecessor_.has_stepped_down = true;
  ForgetLeader("leader_stepped_down", out);
  // It has said itself that it does not lead any more, so there is no timeout to wait for; but an heir
  // goes first.
  if (role() == Role::kFollower) election_.TryAgainAfter(options_.heartbeat, now);
}

void Replica::FollowLeader(const Envelope& envelope, Ballot ballot, Slot chosen_index, Time now, Output& out) {
  const NodeId leader = envelope.from;
  // The acceptor has let the ballot pass, so it is the highest that counts; `leader_ballot_` may be
  // higher, of an attempt to lead that our own acceptor refused.
  if (leader == self_.node) return;
  CheckAnnounced(ballot, chosen_index, now, out);
  if (is_halted()) return;
  if (role() != Role::kFollower) StepDown("higher_ballot", now, out);
  if (leader_ != leader || leader_ballot_ != ballot) {
    LOG(INFO) << "n" << self_.node << " follows n" << leader << ": ballot=" << ballot
              << " reason=" << (leader_ != kNoNode ? "higher_ballot" : WhyNewLeader())
              << " predecessor=" << NameOf(predecessor_.node);
    LoseLeader(out);
    leader_ = leader;
    leader_ballot_ = ballot;
    predecessor_ = {.node = leader};
  }
  election_.OnLeaderHeard(now);
  learner_.OnAnnounced(leader, envelope.from_life, ballot, chosen_index, now);
}

const char* Replica::WhyNewLeader() const {
  if (predecessor_.node == kNoNode) return "no_leader";
  return predecessor_.has_stepped_down ? "leader_stepped_down" : "leader_silent";
}

void Replica::ForgetLeader(const char* reason, Output& out) {
  if (leader_ != kNoNode && leader_ != self_.node) {
    LOG(INFO) << "n" << self_.node << " follows nobody: reason=" << reason << " predecessor=" << NameOf(leader_)
              << " ballot=" << leader_ballot_;
  }
  LoseLeader(out);
}

void Replica::LoseLeader(Output& out) {
  leader_ = kNoNode;
  election_.ForgetLeader();
  reads_.RefuseAsked(RefusedRead::Reason::kLeaderChanged, out);
}

void Replica::CheckQuorum(Time now, Output& out) {
  if (!leadership_) return;
  if (IsLogStuck(now)) return StepDown("log_stuck", now, out);
  if (leadership_->IsQuorumSilent(configuration_, now)) {
    RARE_CASE("a leader stepped down because its quorum was silent");
    StepDown("quorum_silent", now, out);
  }
}

bool Replica::IsLeaderSilent(Time now) const {
  if (leader_ == kNoNode || leader_ == self_.node) return false;
  return now - election_.leader_heard() > options_.HeardFor();
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
    leadership_->BeginTransfer(heir, now);
    proposer_.Close(out);
  }
  EndInput(now, out);
  return result;
}

TransferResult Replica::CheckHeir(NodeId heir, Time now) const {
  if (!leadership_) return TransferResult::kNotLeader;
  if (heir == kNoNode) return TransferResult::kBegun;
  return leadership_->CheckHeir(heir, configuration_, acceptor_.dropped_index(), now);
}

void Replica::FinishTransfer(Time now, Output& out) {
  if (leadership_ && leadership_->IsTransferDue(proposer_.slots_in_flight(), now)) HandOver(now, out);
}

void Replica::HandOver(Time now, Output& out) {
  const NodeId heir = leadership_->Heir(configuration_, now);
  const Ballot ballot = proposer_.ballot();
  StepDown("transfer", now, out);
  if (heir != kNoNode) outbox_.Send(heir, Life(), StandNow{.ballot = ballot});
}

void Replica::StepDown(const char* reason, Time now, Output& out) {
  const Ballot ballot = proposer_.ballot();
  const bool led = leadership_.has_value();
  if (led) {
    LOG(INFO) << "n" << self_.node << " steps down: ballot=" << ballot << " reason=" << reason;
    EndLeading();
    predecessor_ = {.node = self_.node, .has_stepped_down = true};
    for (const Member& member : configuration_.members) {
      outbox_.Send(member.id, Life(), Waiver{.ballot = ballot});
    }
  } else {
    VLOG(1) << "n" << self_.node << " gives up: ballot=" << ballot << " reason=" << reason;
    candidature_.reset();
  }
  proposer_.Stop(out);
  learner_.OnFollowing(now);
  reads_.RefuseAtLeader(outbox_, out);
  if (leader_ == self_.node) leader_ = kNoNode;
  led ? election_.Postpone(now) : election_.OnGaveUp(now);
}

void Replica::EndLeading() {
  last_probe_ = leadership_->lease().last_probe();
  leadership_.reset();
  CHECK(LeaseUntil() == Time::min()) << "rule 7: a lease outlives the leadership that holds it";
}

void Replica::NoteRound(Ballot ballot) { highest_round_ = std::max(highest_round_, ballot.round); }

}  // namespace decree::paxos
