#include "paxos/core/replica.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/overloaded.h"
#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"
#include "paxos/core/protocol/number_check.h"

namespace decree::paxos {
namespace {

constexpr int kConflictEverySeconds = 10;

// A restarted acceptor cannot know what lease it granted, so it refuses promises for the longest
// there may have been. One that never promised anything has granted nothing (rule 7).
Time RefusePromisesUntil(const RecoveredState& recovered, Time now) {
  if (recovered.promised.IsNone() || IsPlanted(PlantedBug::kGrantForgottenAtStart)) return now;
  return now + recovered.configuration.lease;
}

}  // namespace

Replica::Replica(const Options& options, const Identity& self, const RecoveredState& recovered, Random random, Time now)
    : options_(options),
      self_(self),
      configuration_(recovered.configuration),
      outbox_(self),
      meeting_(self, recovered, now),
      acceptor_(options, recovered, RefusePromisesUntil(recovered, now)),
      learner_(options, recovered, acceptor_),
      supply_(options, acceptor_),
      proposer_(options, self.node),
      election_(options, random, now),
      contact_(options, self.node),
      reads_(options),
      noticed_(recovered.chosen_index),
      applied_(recovered.applied),
      log_time_(recovered.log_time),
      last_input_(now) {
  CHECK(self.node != kNoNode);
  CHECK(!self.life.IsZero());
  configuration_.NoteIncarnations(meeting_.roster());
}

// ---- Inputs ----

void Replica::OnMessage(const Envelope& envelope, Time now, Output& out) {
  BeginInput(now, out);
  if (const char* const reason = WhyIgnored(envelope)) {
    VLOG(2) << "dropped: " << envelope << " reason=\"" << reason << '"';
  } else {
    contact_.OnHeard(envelope.from, now);
    if (HasSoundNumbers(envelope, out)) Dispatch(envelope, now, out);
  }
  EndInput(now, out);
}

void Replica::OnTick(Time now, Output& out) {
  BeginInput(now, out);
  if (is_halted()) return EndInput(now, out);
  meeting_.OnTick(options_.heartbeat, now, outbox_);
  CheckQuorum(now, out);
  if (leadership_ && now >= leadership_->heartbeat_at()) SendHeartbeat(now);
  proposer_.OnTick(configuration_, chosen_index(), now, outbox_);
  if (now >= reads_.AskedUntil()) reads_.RefuseAsked(RefusedRead::Reason::kTimedOut, out);
  if (!leadership_ && now >= election_.deadline()) StartPoll(now, out);
  EndInput(now, out);
}

void Replica::OnDurable(Ticket ticket, Time now, Output& out) {
  BeginInput(now, out);
  outbox_.OnDurable(ticket);
  EndInput(now, out);
}

void Replica::OnApplied(Slot slot, Time now, Output& out) {
  BeginInput(now, out);
  CHECK_GE(slot, applied_);
  CHECK_LE(slot, learner_.emitted());
  applied_ = slot;
  DropTail();
  EndInput(now, out);
}

void Replica::OnLogRead(const LogRead& read, std::vector<SlotEntry> entries, Time now, Output& out) {
  BeginInput(now, out);
  supply_.OnLogRead(read, std::move(entries), chosen_index(), outbox_, out.log_reads);
  EndInput(now, out);
}

ProposeResult Replica::Propose(ProposalId id, CommandBytes command, Time deadline) {
  if (!leadership_ || proposer_.is_closed()) return ProposeResult::kNotLeader;
  if (command.size() > options_.command_bytes_max) return ProposeResult::kTooLarge;
  const bool is_full = pending_bytes() + CommandQueue::BytesOf(command) > options_.pending_bytes_max;
  // The largest command finds room where nothing waits.
  if (is_full && !proposer_.queue().empty()) {
    RARE_CASE("a proposal was refused because too much waits");
    return ProposeResult::kOverloaded;
  }
  proposer_.queue().Push(id, std::move(command), deadline);
  return ProposeResult::kQueued;
}

void Replica::Flush(Time now, Output& out) {
  BeginInput(now, out);
  proposer_.Pump(configuration_, chosen_index(), now, outbox_, out);
  if (leadership_ && reads_.NeedProbe(leadership_->lease().last_probe())) SendHeartbeat(now);
  if (leader_ != kNoNode && leader_ != self_.node) {
    if (const auto request = reads_.BeginRound(now)) outbox_.Send(leader_, Life(), *request);
  }
  EndInput(now, out);
}

const char* Replica::WhyIgnored(const Envelope& envelope) const {
  if (is_halted()) return "this node has halted";
  if (envelope.to != self_.node) return "for another node";
  const Member* const member = configuration_.Find(envelope.from);
  if (member == nullptr) return "from no member";
  if (!has_begun() && !std::holds_alternative<Introduction>(envelope.message)) return "the members have not met";
  if (has_begun() && member->incarnation != envelope.from_incarnation && !IsPlanted(PlantedBug::kWipedNodeLetIn)) {
    RARE_CASE("a message from another incarnation was dropped");
    return "from another incarnation of the member";
  }
  if (!envelope.to_life.IsZero() && envelope.to_life != self_.life) {
    RARE_CASE("an answer to an earlier life was dropped");
    return "an answer to an earlier life of this node";
  }
  return nullptr;
}

bool Replica::HasSoundNumbers(const Envelope& envelope, Output& out) const {
  const KnownNumbers known{.round = HighestRound(), .window_slots = options_.window_slots_max};
  const Status status = CheckNumbers(envelope.message, known);
  if (status.ok()) return true;
  out.problems.push_back(StrCat("n", envelope.from.value(), " sends what no member may; it is refused: ",
                                MessageName(envelope.message), ": ", std::string(status.message())));
  return false;
}

void Replica::Dispatch(const Envelope& envelope, Time now, Output& out) {
  CHECK(has_begun() || std::holds_alternative<Introduction>(envelope.message))
      << "rule 10: acts before the first meeting: " << envelope;
  VLOG(2) << "received: " << envelope;
  std::visit(Overloaded{[&](const Introduction& m) { OnIntroduction(envelope, m); },
                        [&](const Poll& m) { OnPoll(envelope, m, now); },
                        [&](const PollAnswer& m) { OnPollAnswer(envelope, m, now, out); },
                        [&](const Prepare& m) { OnPrepare(envelope, m, now, out); },
                        [&](const Promise& m) { OnPromise(envelope, m, now); },
                        [&](const Accept& m) { OnAccept(envelope, m, now, out); },
                        [&](const Accepted& m) { OnAccepted(envelope, m); },
                        [&](const Nack& m) { OnNack(envelope, m, now, out); },
                        [&](const Heartbeat& m) { OnHeartbeat(envelope, m, now, out); },
                        [&](const HeartbeatAck& m) { OnHeartbeatAck(envelope, m, now); },
                        [&](const Waiver& m) { OnWaiver(envelope, m, now, out); },
                        [&](const StandNow& m) { OnStandNow(envelope, m, now, out); },
                        [&](const Fetch& m) { OnFetch(envelope, m, out); },
                        [&](const FetchAnswer& m) { OnFetchAnswer(envelope, m, now); },
                        [&](const ReadIndexRequest& m) { OnReadIndexRequest(envelope, m, now, out); },
                        [&](const ReadIndexAnswer& m) { OnReadIndexAnswer(envelope, m, now, out); }},
             envelope.message);
}

void Replica::BeginInput(Time now, Output& out) {
  CHECK(now >= last_input_) << "time went back";
  const Duration silence = now - last_input_;
  last_input_ = now;
  if (leadership_ && silence > options_.election_timeout_min) {
    RARE_CASE("a leader was held up for an election timeout");
    StepDown("core_stuck", now, out);
  }
}

void Replica::EndInput(Time now, Output& out) {
  do {
    while (const std::optional<Envelope> own = outbox_.TakeLoopback()) Dispatch(*own, now, out);
    if (const auto conflict = acceptor_.TakeConflict()) OnConflict(*conflict, now, out);
    AdvanceChosen(now, out);
    TryToLead(now);
    if (MayFetch()) learner_.FetchMissing(now, outbox_);
    FinishTransfer(now, out);
    ServeReads(now, out);
  } while (outbox_.HasLoopback());
  learner_.NoteChosenIndex(outbox_);
  learner_.EmitDurable(outbox_, out);
  outbox_.Drain(now, out);
}

void Replica::AdvanceChosen(Time now, Output& out) {
  learner_.Advance();
  if (noticed_ == chosen_index()) return;
  if (candidature_) election_.OnProgress(now);
  proposer_.CheckChosen(chosen_index());
  while (noticed_ < chosen_index()) {
    ++noticed_;
    const Entry& entry = *acceptor_.VoteAt(noticed_)->entry;
    log_time_ = std::max(log_time_, entry.log_time);
    if (entry.kind == EntryKind::kConfiguration) TakeConfiguration(entry, now, out);
  }
}

// A node that has finished phase 1 needs no values from others. It would announce what it learnt under its own
// ballot, where others may have voted for another value: a lower ballot's leader does not know that one of a
// higher ballot has had its own way in that slot. (Rule 4.)
bool Replica::MayFetch() const {
  if (is_halted()) return false;
  return proposer_.state() != Proposer::State::kProposing || IsPlanted(PlantedBug::kLeaderTakesValues);
}

void Replica::OnConflict(const ValueConflict& conflict, Time now, Output& out) {
  if (!conflict.IsProof() && !conflict.other_under.IsNone()) {
    const bool is_lowest =
        !refused_.has_value() || conflict.other_under != refused_->other_under || conflict.slot < refused_->slot;
    if (is_lowest) refused_ = conflict;
    // A late Accept does so in a healthy cluster.
    LOG_EVERY_T(INFO, kConflictEverySeconds) << "n" << self_.node << ": " << Describe(conflict);
    return;
  }
  out.problems.push_back(Describe(conflict));
  if (!conflict.IsProof()) return;
  Halt(StrCat("a rule of the protocol was broken, and an acknowledged write may be lost: ", Describe(conflict),
              ". Stop the clients, save the data directories of all members, and find out which of them went back "
              "in time"),
       now, out);
}

void Replica::CheckAnnounced(Ballot ballot, Slot chosen_index, Time now, Output& out) {
  if (!refused_.has_value() || refused_->other_under != ballot || refused_->slot > chosen_index) return;
  ValueConflict conflict = *std::exchange(refused_, std::nullopt);
  conflict.is_announced = true;
  OnConflict(conflict, now, out);
}

void Replica::Halt(std::string reason, Time now, Output& out) {
  if (is_halted()) return;
  halted_ = StrCat(reason, ". This node votes and serves no more, and keeps its data");
  LOG(ERROR) << "n" << self_.node << ": " << halted_;
  if (role() != Role::kFollower) StepDown("halted", now, out);
  ForgetLeader("halted", out);
}

std::vector<std::string> Replica::Obstacles() const {
  if (is_halted()) return {halted_};
  return meeting_.Obstacles();
}

void Replica::TakeConfiguration(const Entry& entry, Time now, Output& out) {
  StatusOr<Configuration> configuration = Configuration::Decode(entry.payload);
  CHECK(configuration.ok()) << configuration.status();  // The acceptor votes for no other.
  const Member* const self = configuration->Find(self_.node);
  if (self != nullptr && self->incarnation != self_.incarnation) {
    return Halt(StrCat("the cluster's configuration names another incarnation of n", self_.node.value(),
                       ": this directory was formatted anew, and may not be used under this id"),
                now, out);
  }
  configuration_ = *std::move(configuration);
  proposer_.OnConfiguration(configuration_, chosen_index(), acceptor_, now, outbox_);
  if (!leadership_ || proposer_.state() == Proposer::State::kProposing) return;
  // Nothing is in flight behind a change of configuration, so a transfer need not wait any longer.
  if (leadership_->IsTransferring()) return HandOver(now, out);
  ForgetLeader("new_configuration", out);
  EndLeading();
  candidature_ = {.reason = "new_configuration"};
}

void Replica::DropTail() {
  while (acceptor_.dropped_index() < applied_ && acceptor_.bytes() > options_.tail_bytes_max) {
    acceptor_.DropFirst();
  }
}

Role Replica::role() const {
  CHECK(!candidature_ || !leadership_);
  return leadership_ ? Role::kLeader : candidature_ ? Role::kCandidate : Role::kFollower;
}

Time Replica::CutOffAt() const {
  if (leadership_ || leader_ != kNoNode || !takes_part()) return kTimeNever;
  return contact_.LostAt(configuration_);
}

Time Replica::LeaseUntil() const {
  if (!options_.uses_lease || !MayServeReads()) return Time::min();
  return leadership_->lease().HeldUntil(configuration_);
}

Duration Replica::LeaseLeft(Time now) const {
  const Time until = LeaseUntil();
  return until > now ? until - now : Duration::zero();
}

Time Replica::NextDeadline() const {
  if (is_halted()) return kTimeNever;
  Time next = std::min(meeting_.NextDeadline(), proposer_.NextDeadline());
  if (MayFetch()) next = std::min(next, learner_.NextDeadline());
  next = std::min(next, leadership_ ? leadership_->NextDeadline() : election_.deadline());
  return std::min(next, reads_.AskedUntil());
}

// ---- First meeting ----

void Replica::OnIntroduction(const Envelope& envelope, const Introduction& introduction) {
  const bool had_begun = has_begun();
  meeting_.OnIntroduction(envelope, introduction, outbox_);
  if (had_begun) return;
  configuration_.NoteIncarnations(meeting_.roster());
  if (has_begun()) LOG(INFO) << "n" << self_.node << ": all members have met, the cluster begins";
}

// ---- Phase 1 and 2 ----

void Replica::OnPrepare(const Envelope& envelope, const Prepare& prepare, Time now, Output& out) {
  NoteRound(prepare.ballot);
  if (acceptor_.OnPrepare(envelope, prepare, chosen_index(), now, outbox_)) {
    election_.OnPromiseGiven(now);
  }
  // Having promised a higher ballot, this node must not act on its own any more.
  if (role() != Role::kFollower && acceptor_.promised() > proposer_.ballot()) {
    StepDown("higher_ballot", now, out);
  }
  if (leader_ != kNoNode && acceptor_.promised() > leader_ballot_) ForgetLeader("another_stands", out);
}

void Replica::OnPromise(const Envelope& envelope, const Promise& promise, Time now) {
  const bool is_new = proposer_.OnPromise(envelope, promise, configuration_, now, outbox_);
  if (!candidature_ || promise.ballot != proposer_.ballot()) return;
  if (is_new) election_.OnProgress(now);
  // Nobody reports votes for what is known to be chosen.
  if (promise.chosen_index > chosen_index()) {
    RARE_CASE("a candidate lacked slots that a promise named as chosen");
    learner_.OnKnownElsewhere(envelope.from, envelope.from_life, promise.chosen_index, promise.trim_point, now, now);
  }
  for (const Vote& vote : promise.votes) {
    if (vote.chosen && vote.entry != nullptr) {
      learner_.Learn(vote.slot, vote.entry, envelope.from, outbox_);
    }
  }
}

void Replica::OnAccept(const Envelope& envelope, const Accept& accept, Time now, Output& out) {
  NoteRound(accept.ballot);
  if (!acceptor_.OnAccept(envelope, accept, chosen_index(), outbox_)) return;
  FollowLeader(envelope, accept.ballot, accept.chosen_index, now, out);
}

void Replica::OnAccepted(const Envelope& envelope, const Accepted& accepted) {
  if (!leadership_) return;
  for (const SlotEntry& chosen : proposer_.OnAccepted(envelope.from, accepted, configuration_)) {
    learner_.OnCounted(chosen.slot, chosen.entry, accepted.ballot, outbox_);
  }
}

void Replica::OnNack(const Envelope& envelope, const Nack& nack, Time now, Output& out) {
  NoteRound(nack.promised);
  VLOG(1) << "n" << envelope.from << " has refused n" << self_.node << ": ballot=" << nack.ballot
          << " promised=" << nack.promised;
  if (role() == Role::kFollower || nack.ballot != proposer_.ballot()) return;
  if (nack.promised > proposer_.ballot()) return StepDown("higher_ballot", now, out);
  RARE_CASE("a candidate was refused because of a lease");
  // Others may still make a quorum, but our own promise is needed for our ballot.
  if (envelope.from == self_.node) StepDown("lease_granted_elsewhere", now, out);
}

// ---- Reads ----

void Replica::Read(ReadId id, Time now, Output& out) {
  BeginInput(now, out);
  if (reads_.IsFull()) {
    reads_.Refuse(id, RefusedRead::Reason::kOverloaded, outbox_, out);
  } else if (leadership_) {
    reads_.AddAtLeader(id, ViewForReads(now), outbox_, out);
  } else if (leader_ != kNoNode) {
    reads_.Ask(id);
  } else {
    reads_.Refuse(id, RefusedRead::Reason::kNoLeader, outbox_, out);
  }
  EndInput(now, out);
}

void Replica::OnReadIndexRequest(const Envelope& envelope, const ReadIndexRequest& request, Time now, Output& out) {
  const RemoteRead reader{.from = envelope.from, .life = envelope.from_life, .request = request.request};
  if (leadership_ && !reads_.IsFull()) {
    reads_.AddAtLeader(reader, ViewForReads(now), outbox_, out);
  } else {
    reads_.Refuse(reader, RefusedRead::Reason::kLeaderChanged, outbox_, out);
  }
}

void Replica::OnReadIndexAnswer(const Envelope& envelope, const ReadIndexAnswer& answer, Time now, Output& out) {
  if (!reads_.OnAnswer(answer, out) || !answer.served) return;
  // A leader speaks for its own ballot only, so this says nothing of another one that is followed by now.
  if (leader_ != envelope.from || leader_ballot_ != answer.ballot) return;
  learner_.OnAnnounced(envelope.from, envelope.from_life, answer.ballot, answer.index, now);
}

bool Replica::MayServeReads() const {
  if (!leadership_) return false;
  if (IsPlanted(PlantedBug::kReadBeforeRecovery)) return true;
  return proposer_.HasRecovered() && applied_ >= proposer_.recovery_end();
}

LeaderView Replica::ViewForReads(Time now) const {
  return {.ballot = proposer_.ballot(),
          .chosen_index = chosen_index(),
          .is_current = MayServeReads(),
          .holds_lease = LeaseLeft(now) > Duration::zero(),
          .last_probe = leadership_->lease().last_probe()};
}

void Replica::ServeReads(Time now, Output& out) {
  if (!leadership_ || !reads_.AnyAtLeader()) return;
  reads_.AdvanceAtLeader(ViewForReads(now), leadership_->lease().ConfirmedProbe(configuration_), outbox_, out);
}

// ---- Catch-up ----

void Replica::OnFetch(const Envelope& envelope, const Fetch& fetch, Output& out) {
  proposer_.OnVoterKnows(envelope.from, fetch.position.slot.Previous());
  supply_.OnFetch(envelope, fetch, chosen_index(), outbox_, out.log_reads);
}

void Replica::OnFetchAnswer(const Envelope& envelope, const FetchAnswer& answer, Time now) {
  if (!MayFetch()) {
    RARE_CASE("a leader was sent values, and took none");
    return;
  }
  learner_.OnFetchAnswer(envelope.from, answer, now, outbox_);
}

}  // namespace decree::paxos
