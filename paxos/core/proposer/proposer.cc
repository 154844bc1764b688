#include "paxos/core/proposer/proposer.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

// A new leader may find thousands of slots; these bound what it has in flight of them at once.
constexpr size_t kRecoverySlotsInFlight = 64;
constexpr size_t kRecoveryBytesInFlight = 4 << 20;

EntryPtr MakeEntry(Entry entry) { return std::make_shared<const Entry>(std::move(entry)); }

}  // namespace

Proposer::Proposer(const Options& options, NodeId self)
    : options_(options), self_(self), phase1_(options), phase2_(options) {}

void Proposer::Start(Ballot ballot, Ballot waived, Slot chosen_index, Time now, Outbox& outbox) {
  CHECK(state_ == State::kIdle);
  CHECK(ballot.node == self_);
  CHECK_GT(ballot, ballot_);
  state_ = State::kPreparing;
  ballot_ = ballot;
  waived_ = waived;
  closed_ = false;
  BeginPreparing(chosen_index.Next(), now, outbox);
}

void Proposer::BeginPreparing(Slot first_slot, Time now, Outbox& outbox) {
  phase1_.Start(ballot_, first_slot);
  prepare_wait_ = options_.retransmit;
  prepare_again_at_ = now + prepare_wait_;
  SendPrepare(self_, {first_slot}, outbox);
}

void Proposer::SendPrepare(NodeId to, LogPosition position, Outbox& outbox) const {
  const uint64_t page_bytes = to == self_ ? options_.page_bytes_max : phase1_.PageBytes(to);
  outbox.Send(to, Life(),
              Prepare{.ballot = ballot_, .position = position, .waived = waived_, .page_bytes = page_bytes});
}

bool Proposer::OnPromise(const Envelope& envelope, const Promise& promise, const Configuration& configuration, Time now,
                         Outbox& outbox) {
  if (state_ != State::kPreparing || promise.ballot != ballot_) return false;
  if (!configuration.IsVoter(envelope.from)) return false;
  const bool was_heard = phase1_.HasPromised(envelope.from);
  const std::optional<LogPosition> wanted = phase1_.WantedFrom(envelope.from);
  const std::optional<LogPosition> next = phase1_.OnPromise(envelope.from, promise, now);
  if (envelope.from == self_ && !was_heard) SendPrepares(configuration, outbox);
  if (next.has_value()) SendPrepare(envelope.from, *next, outbox);
  const bool is_new = phase1_.WantedFrom(envelope.from) != wanted;
  if (is_new) {
    prepare_wait_ = options_.retransmit;
    prepare_again_at_ = now + prepare_wait_;
  }
  return is_new;
}

void Proposer::SendPrepares(const Configuration& configuration, Outbox& outbox) {
  // Until our own promise is durable nobody else may hear of this ballot.
  const bool is_own_durable = phase1_.HasPromised(self_);
  for (const Member& member : configuration.members) {
    if (!member.voter || (member.id != self_ && !is_own_durable)) continue;
    const std::optional<LogPosition> wanted = phase1_.WantedFrom(member.id);
    if (wanted.has_value()) SendPrepare(member.id, *wanted, outbox);
  }
}

bool Proposer::MayPropose(const Configuration& configuration, Slot chosen_index) const {
  return state_ == State::kPreparing && phase1_.HasPromised(self_) && phase1_.IsComplete(configuration, chosen_index);
}

void Proposer::StartProposing(const Configuration& configuration, Slot chosen_index, const Acceptor& acceptor,
                              LogTime log_time, Time now) {
  CHECK(MayPropose(configuration, chosen_index));
  state_ = State::kProposing;
  prepare_again_at_ = kTimeNever;
  log_time_base_ = std::max(log_time_base_, log_time);
  for (const auto& [slot, vote] : phase1_.votes()) {
    log_time_base_ = std::max(log_time_base_, vote.entry->log_time);
  }
  led_since_ = now;
  phase2_.Start(ballot_);
  Plan(configuration, chosen_index, acceptor);
}

void Proposer::Plan(const Configuration& configuration, Slot chosen_index, const Acceptor& acceptor) {
  CHECK(phase1_.IsComplete(configuration, chosen_index));
  recovery_.clear();
  barrier_ = kNoSlot;
  is_planned_ = true;
  Slot highest = std::max(chosen_index, acceptor.last_slot());
  // What others voted for does not bind, and a faulty one might name any slot.
  highest = std::max(highest, phase1_.LastVote(configuration, chosen_index));

  uint64_t noops = 0;
  for (Slot slot = chosen_index.Next(); slot <= highest; ++slot) {
    const EntryPtr entry = ValueFor(slot, acceptor);
    if (entry == nullptr) continue;
    if (entry->kind == EntryKind::kNoOp && entry->proposer == ballot_) ++noops;
    recovery_.push_back({.slot = slot, .entry = entry});
    if (entry->kind == EntryKind::kConfiguration) {
      // What lies behind is governed by a configuration that is not known to be chosen (rule 9).
      barrier_ = slot;
      break;
    }
  }
  next_slot_ = (barrier_ == kNoSlot ? highest : barrier_).Next();
  recovery_end_ = std::max({recovery_end_, chosen_index, highest});
  if (noops > 0) RARE_CASE("a new leader closed holes with no-ops");
  if (recovery_.size() > noops) RARE_CASE("a new leader proposed values again");
}

EntryPtr Proposer::ValueFor(Slot slot, const Acceptor& acceptor) const {
  const SlotVote* const own = acceptor.VoteAt(slot);
  if (own != nullptr && own->chosen) return nullptr;
  // Our own acceptor's page was taken before its last fetches; a vote that it reported is in there.
  const auto found = phase1_.votes().find(slot);
  if (found != phase1_.votes().end()) return found->second.entry;
  if (IsPlanted(PlantedBug::kSkipNoOpInHole)) return nullptr;
  // A hole: nobody in the quorum voted here, so nothing was or can be chosen in a lower ballot. A
  // no-op lets the slots behind it be applied. ("Paxos Made Simple", §3.)
  return MakeEntry({.kind = EntryKind::kNoOp, .proposer = ballot_, .log_time = {}, .payload = {}});
}

void Proposer::OnConfiguration(const Configuration& configuration, Slot chosen_index, const Acceptor& acceptor,
                               Time now, Outbox& outbox) {
  if (state_ == State::kIdle) return;
  CHECK_EQ(phase2_.slots(), 0u) << "in flight behind a change of configuration";
  if (state_ == State::kProposing && phase1_.IsComplete(configuration, chosen_index)) {
    return Plan(configuration, chosen_index, acceptor);
  }
  state_ = State::kPreparing;
  is_planned_ = false;
  barrier_ = kNoSlot;
  recovery_.clear();
  BeginPreparing(chosen_index.Next(), now, outbox);
}

void Proposer::Pump(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox, Output& out) {
  if (state_ != State::kProposing) return;
  // Nobody votes or learns beyond the window, so nothing is proposed there.
  const Slot last_slot = chosen_index.Plus(options_.window_slots_max);
  ProposeRecovered(last_slot);
  if (recovery_.empty() && barrier_ == kNoSlot) ProposeBatches(last_slot, now, out);
  phase2_.Send(configuration, chosen_index, now, outbox);
}

void Proposer::ProposeRecovered(Slot last_slot) {
  while (!recovery_.empty() && recovery_.front().slot <= last_slot && phase2_.slots() < kRecoverySlotsInFlight &&
         (phase2_.slots() == 0 || phase2_.bytes() < kRecoveryBytesInFlight)) {
    SlotEntry next = std::move(recovery_.front());
    recovery_.pop_front();
    phase2_.Propose(next.slot, std::move(next.entry));
  }
}

void Proposer::ProposeBatches(Slot last_slot, Time now, Output& out) {
  while (!closed_ && !queue_.empty() && next_slot_ <= last_slot && phase2_.slots() < options_.slots_in_flight_max) {
    Entry entry{.kind = EntryKind::kCommands, .proposer = ballot_, .log_time = LogTimeAt(now), .payload = {}};
    const std::vector<ProposalId> ids = queue_.TakeBatch(options_.batch_bytes_max, now, entry.payload, out.dropped);
    if (ids.empty()) return;
    for (uint32_t index = 0; index < ids.size(); ++index) {
      out.placements.push_back({.id = ids[index], .slot = next_slot_, .ballot = ballot_, .index = index});
    }
    Propose(next_slot_, MakeEntry(std::move(entry)));
  }
}

void Proposer::Propose(Slot slot, EntryPtr entry) {
  CHECK_EQ(slot, next_slot_);
  ++next_slot_;
  phase2_.Propose(slot, std::move(entry));
}

LogTime Proposer::LogTimeAt(Time now) const {
  // Should a faulty member ever have had its way, log time stands still; writes go on.
  return std::min(log_time_base_.Plus(static_cast<uint64_t>((now - led_since_).count())), kLogTimeMax);
}

void Proposer::OnTick(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox) {
  if (state_ == State::kPreparing && now >= prepare_again_at_) {
    prepare_wait_ *= 2;
    prepare_again_at_ = now + prepare_wait_;
    SendPrepares(configuration, outbox);
  }
  if (state_ == State::kProposing) {
    phase2_.Retransmit(configuration, chosen_index, now, outbox);
  }
}

Time Proposer::NextDeadline() const {
  switch (state_) {
    case State::kIdle:
      return kTimeNever;
    case State::kPreparing:
      return prepare_again_at_;
    case State::kProposing:
      return phase2_.NextDeadline();
  }
  return kTimeNever;
}

void Proposer::Stop(Output& out) {
  state_ = State::kIdle;
  is_planned_ = false;
  barrier_ = kNoSlot;
  recovery_.clear();
  recovery_end_ = kNoSlot;
  prepare_again_at_ = kTimeNever;
  if (!ballot_.IsNone()) phase2_.Start(ballot_);
  Close(out);
}

void Proposer::Close(Output& out) {
  closed_ = true;
  queue_.DropAll(DroppedProposal::Reason::kNotLeader, out.dropped);
}

}  // namespace decree::paxos
