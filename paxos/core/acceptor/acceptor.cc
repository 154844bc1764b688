#include "paxos/core/acceptor/acceptor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "paxos/base/rare_case.h"
#include "paxos/core/protocol/entry_assembly.h"
#include "paxos/core/protocol/entry_check.h"
#include "paxos/core/protocol/number_check.h"

namespace decree::paxos {
namespace {

// A peer that is wrong once is wrong often.
constexpr int kLogEverySeconds = 10;

// A proposer gives one value to a slot, so slot and first proposer name the value.
bool IsSameValue(const Entry& a, const Entry& b) {
  return a.proposer == b.proposer && a.kind == b.kind && a.payload.size() == b.payload.size();
}

}  // namespace

Acceptor::Acceptor(const Options& options, const RecoveredState& recovered, Time refuse_until)
    : options_(options), promised_(recovered.promised), votes_(recovered.dropped_index.Next()), granted_(refuse_until) {
  for (const Vote& vote : recovered.votes) {
    CHECK_LE(vote.ballot, promised_) << "slot " << vote.slot;
    CHECK_GT(vote.slot, recovered.dropped_index);
    SlotVote& slot_vote = votes_.At(vote.slot);
    Set(slot_vote, vote.ballot, vote.entry, Ticket());
    slot_vote.chosen = vote.chosen || vote.slot <= recovered.chosen_index;
  }
}

bool Acceptor::MayAct(const Envelope& envelope, Ballot ballot, Outbox& outbox) const {
  if (ballot.node != envelope.from) return false;
  if (ballot >= promised_) return true;
  Refuse(envelope, ballot, "a higher ballot was promised", outbox);
  return false;
}

void Acceptor::RaisePromise(const Envelope& envelope, Ballot ballot) {
  CHECK_GT(ballot, promised_) << "rule 1: a promise never goes down";
  VLOG(1) << "n" << envelope.to << " promises: ballot=" << ballot << " before=" << promised_
          << " asked_by=" << MessageName(envelope.message);
  promised_ = ballot;
  next_page_ = {};
}

bool Acceptor::OnPrepare(const Envelope& envelope, const Prepare& prepare, Slot chosen_index, Time now,
                         Outbox& outbox) {
  if (!MayAct(envelope, prepare.ballot, outbox)) return false;
  if (prepare.ballot > promised_) {
    // The heir of a leader that has withdrawn its lease need not wait for the waiver itself.
    if (!prepare.waived.IsNone()) granted_.Waive(prepare.waived);
    if (const Duration left = granted_.LeftAgainst(envelope.from, now); left > Duration::zero()) {
      RARE_CASE("a lease forbade a promise");
      Refuse(envelope, prepare.ballot, StrCat("a lease forbids it for another ", ToMilliseconds(left), " ms"), outbox);
      return false;
    }
    RaisePromise(envelope, prepare.ballot);
    promise_ticket_ = outbox.Persist(PromisedRecord{promised_});
  }
  Promise page = MakePage(prepare, chosen_index);
  const bool is_new = prepare.position >= next_page_;
  if (is_new) next_page_ = EndOf(page);
  // Not ours to send before the promise is durable: after a crash we would not know it, could
  // promise a lower ballot, and two leaders would each believe in a quorum. (Rule 1.)
  outbox.SendAfter(promise_ticket_, envelope.from, envelope.from_life, std::move(page));
  return is_new;
}

Promise Acceptor::MakePage(const Prepare& prepare, Slot chosen_index) const {
  Promise page{.ballot = prepare.ballot,
               .position = prepare.position,
               .last_slot = Slot::Max(),
               .trim_point = kNoSlot,  // No log is trimmed yet.
               .chosen_index = chosen_index,
               .votes = {}};
  // There are no more pages than votes and pieces of votes, whatever is asked for.
  const size_t piece = options_.fetch_piece_bytes;
  const size_t bytes_max = std::min<size_t>(std::max<size_t>(prepare.page_bytes, piece), options_.page_bytes_max);
  const size_t part_bytes_max = std::max(bytes_max, piece);
  size_t bytes = 0;
  // What is known to be chosen needs no vote: the candidate fetches it.
  CHECK_GE(chosen_index, dropped_index());
  for (Slot slot = std::max(prepare.position.slot, chosen_index.Next()); slot < votes_.end(); ++slot) {
    const SlotVote& vote = *votes_.Find(slot);
    if (vote.entry == nullptr) continue;
    const uint64_t size = vote.entry->payload.size();
    // What is asked for may lie beyond another value, which was taken since: that one begins at its beginning.
    const bool goes_on = slot == prepare.position.slot && prepare.position.byte < size;
    const uint64_t first_byte = goes_on ? prepare.position.byte : 0;
    const bool is_whole = first_byte == 0 && size <= part_bytes_max;
    bytes += EntryBytes(*vote.entry);
    if (!page.votes.empty() && bytes > bytes_max) {
      RARE_CASE("a promise took more than one page");
      page.last_slot = slot.Previous();
      break;
    }
    if (!is_whole) {
      RARE_CASE("a promise took more than one page for a vote");
      page.last_slot = slot;
      page.part = {
          .ballot = vote.ballot, .chosen = vote.chosen, .entry = PartOf(slot, *vote.entry, first_byte, part_bytes_max)};
      break;
    }
    page.votes.push_back({.slot = slot, .ballot = vote.ballot, .chosen = vote.chosen, .entry = vote.entry});
  }
  return page;
}

bool Acceptor::OnAccept(const Envelope& envelope, const Accept& accept, Slot chosen_index, Outbox& outbox) {
  if (!MayAct(envelope, accept.ballot, outbox)) return false;
  const bool raises = accept.ballot > promised_;
  if (raises) RaisePromise(envelope, accept.ballot);

  Accepted answer{.ballot = accept.ballot, .chosen_index = chosen_index, .slots = {}, .inquiry = accept.inquiry};
  Ticket rests_on = promise_ticket_;
  bool wrote = false;
  for (const SlotEntry& proposal : accept.entries) {
    // A change of configuration that does not decode could not be acted on once it is chosen.
    if (proposal.entry->kind == EntryKind::kConfiguration && !CheckEntry(*proposal.entry).ok()) {
      LOG_EVERY_T(ERROR, kLogEverySeconds)
          << "n" << envelope.from << " proposed a malformed configuration; it is ignored:"
          << " slot=" << proposal.slot;
      continue;
    }
    const std::optional<Ticket> ticket = VoteFor(proposal, accept.ballot, chosen_index, outbox);
    if (!ticket.has_value()) continue;
    const SlotVote* const vote = VoteAt(proposal.slot);
    wrote = wrote || (vote != nullptr && vote->ballot == accept.ballot);
    rests_on = std::max(rests_on, *ticket);
    answer.slots.push_back(proposal.slot);
  }
  for (const Slot slot : accept.asked) {
    const SlotVote* const vote = VoteAt(slot);
    if (vote == nullptr || vote->ballot != accept.ballot) continue;
    rests_on = std::max(rests_on, vote->ticket);
    answer.slots.push_back(slot);
  }
  // A node that can prove that a rule was broken votes no more.
  if (conflict_.has_value() && conflict_->IsProof()) return false;
  // The raised promise rests on the votes' own records, if there are any.
  if (raises) {
    promise_ticket_ = wrote ? outbox.last_ticket() : outbox.Persist(PromisedRecord{promised_});
    rests_on = std::max(rests_on, promise_ticket_);
  }
  if (!answer.slots.empty() || accept.inquiry != 0) {
    outbox.SendAfter(rests_on, envelope.from, envelope.from_life, std::move(answer));
  }
  return true;
}

std::optional<Ticket> Acceptor::VoteFor(const SlotEntry& proposal, Ballot ballot, Slot chosen_index, Outbox& outbox) {
  if (IsBeyondWindow(proposal, chosen_index)) {
    RARE_CASE("an accept beyond the window was dropped");
    return std::nullopt;
  }
  // What is known to be chosen stays as it is, and needs no record of this ballot: a Promise would name
  // the chosen index instead of the vote, which says more. The answer is one vote, and no proof: where the value
  // is not at hand any more, it may be a stale leader that asks for another, and gets no quorum. (Rule 4.)
  if (proposal.slot <= chosen_index) {
    const SlotVote* const chosen = votes_.Find(proposal.slot);
    return chosen == nullptr ? Ticket() : VoteForChosen(*chosen, proposal, ballot);
  }

  SlotVote& vote = votes_.At(proposal.slot);
  if (vote.chosen) return VoteForChosen(vote, proposal, ballot);
  if (vote.entry != nullptr && vote.ballot == ballot) {
    if (!IsSameValue(*vote.entry, *proposal.entry)) {
      LOG_EVERY_T(ERROR, kLogEverySeconds)
          << "n" << ballot.node << " proposes two values in one ballot: slot=" << proposal.slot << " ballot=" << ballot;
      return std::nullopt;
    }
    return vote.ticket;
  }
  CHECK_GE(ballot, vote.ballot) << "slot " << proposal.slot;
  Set(vote, ballot, proposal.entry, outbox.Persist(AcceptedRecord{proposal.slot, ballot, proposal.entry}));
  return vote.ticket;
}

std::optional<Ticket> Acceptor::VoteForChosen(const SlotVote& chosen, const SlotEntry& proposal, Ballot ballot) {
  if (IsSameValue(*chosen.entry, *proposal.entry)) return chosen.ticket;
  NoteConflict({.slot = proposal.slot,
                .chosen = chosen.entry,
                .chosen_under = chosen.chosen_under,
                .other = proposal.entry,
                .other_under = ballot,
                .from = ballot.node});
  return std::nullopt;
}

void Acceptor::NoteConflict(ValueConflict conflict) {
  RARE_CASE("another value was told than the one known to be chosen");
  if (!conflict_.has_value() || conflict.IsProof()) conflict_ = std::move(conflict);
}

bool Acceptor::IsBeyondWindow(const SlotEntry& proposal, Slot chosen_index) const {
  if (proposal.slot > chosen_index.Plus(options_.window_slots_max)) return true;
  // The next slot to be chosen is always taken, or nothing would ever get on.
  return proposal.slot > chosen_index.Next() &&
         bytes_ + EntryBytes(*proposal.entry) > options_.tail_bytes_max + options_.window_bytes_max;
}

bool Acceptor::OnHeartbeat(const Envelope& envelope, const Heartbeat& heartbeat, Slot chosen_index, Duration lease,
                           Time now, Outbox& outbox) {
  if (!MayAct(envelope, heartbeat.ballot, outbox)) return false;
  if (heartbeat.ballot > promised_) {
    // Else a delayed probe of an older leader could take the grant over, and with it the right to a
    // new ballot while this leader relies on its lease.
    RaisePromise(envelope, heartbeat.ballot);
    promise_ticket_ = outbox.Persist(PromisedRecord{promised_});
  }
  if (granted_.Grant(heartbeat.ballot, lease, now)) {
    VLOG(1) << "n" << envelope.to << " grants a lease: ballot=" << heartbeat.ballot << " ms=" << ToMilliseconds(lease);
  }
  // A restart concludes from the promise that there may be a grant, so no grant is told before it.
  outbox.SendAfter(promise_ticket_, envelope.from, envelope.from_life,
                   HeartbeatAck{.ballot = heartbeat.ballot,
                                .probe = heartbeat.probe,
                                .chosen_index = chosen_index,
                                .refuses_for = granted_.RefusesFor(now)});
  return true;
}

void Acceptor::OnWaiver(NodeId from, const Waiver& waiver) {
  if (waiver.ballot.node == from) granted_.Waive(waiver.ballot);
}

const SlotVote* Acceptor::VoteAt(Slot slot) const {
  const SlotVote* const vote = votes_.Find(slot);
  return vote != nullptr && vote->entry != nullptr ? vote : nullptr;
}

void Acceptor::MarkChosen(Slot slot) {
  SlotVote* const vote = votes_.Find(slot);
  CHECK(vote != nullptr && vote->entry != nullptr) << "slot " << slot;
  if (!vote->chosen) vote->chosen_under = vote->ballot;
  vote->chosen = true;
}

void Acceptor::SetChosen(Slot slot, const EntryPtr& entry, Ballot ballot, Outbox& outbox) {
  CHECK(AdoptChosen(slot, entry, ballot.node, outbox))
      << "rule 2: a leader proposed another value than the one it knew to be chosen: slot=" << slot;
  votes_.At(slot).chosen_under = ballot;
}

bool Acceptor::AdoptChosen(Slot slot, const EntryPtr& entry, NodeId from, Outbox& outbox) {
  CHECK_GT(slot, dropped_index());
  SlotVote& vote = votes_.At(slot);
  if (vote.entry != nullptr && IsSameValue(*vote.entry, *entry)) {
    vote.chosen = true;
    return true;
  }
  if (vote.chosen) {
    NoteConflict({.slot = slot,
                  .chosen = vote.entry,
                  .chosen_under = vote.chosen_under,
                  .other = entry,
                  .other_under = {},
                  .from = from});
    return false;
  }
  Set(vote, Ballot(), entry, outbox.Persist(ChosenRecord{slot, entry}));
  vote.chosen = true;
  return true;
}

void Acceptor::DropFirst() {
  const SlotVote* const vote = votes_.Find(votes_.first());
  CHECK(vote != nullptr && vote->chosen) << "slot " << votes_.first();
  bytes_ -= EntryBytes(*vote->entry);
  votes_.DropFirst();
}

void Acceptor::Refuse(const Envelope& envelope, Ballot refused, const std::string& reason, Outbox& outbox) const {
  VLOG(1) << "n" << envelope.to << " refuses n" << envelope.from << "'s " << MessageName(envelope.message)
          << ": ballot=" << refused << " promised=" << promised_ << " reason=\"" << reason << '"';
  outbox.Send(envelope.from, envelope.from_life, Nack{.ballot = refused, .promised = WithinStep(promised_, refused)});
}

void Acceptor::Set(SlotVote& vote, Ballot ballot, const EntryPtr& entry, Ticket ticket) {
  if (vote.entry != nullptr) bytes_ -= EntryBytes(*vote.entry);
  vote.ballot = ballot;
  vote.entry = entry;
  vote.ticket = ticket;
  bytes_ += EntryBytes(*entry);
}

}  // namespace decree::paxos
