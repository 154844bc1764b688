#include "paxos/core/learner.h"

#include <algorithm>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"

namespace decree::paxos {

Learner::Learner(const Options& options, const RecoveredState& recovered, Acceptor& acceptor)
    : options_(options),
      acceptor_(acceptor),
      chosen_index_(recovered.chosen_index),
      emitted_(recovered.applied),
      noted_(recovered.chosen_index),
      target_(recovered.chosen_index) {
  CHECK_LE(recovered.floor, recovered.applied);
  CHECK_LE(recovered.applied, recovered.chosen_index);
}

void Learner::OnAnnounced(NodeId leader, Ballot ballot, Slot chosen_index, Time now) {
  if (ballot > announced_ballot_) {
    announced_ballot_ = ballot;
    announced_ = chosen_index;
  } else if (ballot == announced_ballot_) {
    announced_ = std::max(announced_, chosen_index);
  }
  // The Accept that closes the gap may just be on its way.
  OnKnownElsewhere(leader, chosen_index, now + options_.gap_patience);
}

void Learner::OnKnownElsewhere(NodeId source, Slot chosen_index, Time fetch_at) {
  if (chosen_index <= chosen_index_) return;
  if (chosen_index >= target_) source_ = source;
  target_ = std::max(target_, chosen_index);
  fetch_at_ = std::min(fetch_at_, fetch_at);
}

void Learner::Learn(Slot slot, const EntryPtr& entry, Outbox& outbox) {
  if (slot <= acceptor_.floor()) return;
  if (slot > chosen_index_.Plus(options_.window_slots_max)) return;
  acceptor_.AdoptChosen(slot, entry, outbox);
}

void Learner::OnFetchAnswer(const FetchAnswer& answer, Time now, Outbox& outbox) {
  const Slot before = chosen_index_;
  for (const SlotEntry& item : answer.entries) Learn(item.slot, item.entry, outbox);
  Advance();
  // A page that helped is followed by the next at once; one that did not waits its turn.
  if (chosen_index_ > before && chosen_index_ < target_) fetch_at_ = now;
}

bool Learner::IsKnownChosen(Slot slot) const {
  const SlotVote* const vote = acceptor_.VoteAt(slot);
  if (vote == nullptr) return false;
  if (vote->chosen) return true;
  if (slot > announced_) return false;
  if (IsPlanted(PlantedBug::kChosenWithoutBallot)) return true;
  if (vote->ballot != announced_ballot_) {
    PROBE("a vote under another ballot was not taken as chosen");
    return false;
  }
  return true;
}

bool Learner::Advance() {
  const Slot before = chosen_index_;
  while (IsKnownChosen(chosen_index_.Next())) {
    ++chosen_index_;
    acceptor_.MarkChosen(chosen_index_);
  }
  target_ = std::max(target_, chosen_index_);
  if (chosen_index_ == target_) fetch_at_ = kTimeNever;
  return chosen_index_ > before;
}

void Learner::FetchMissing(Time now, NodeId self, Outbox& outbox) {
  if (now < fetch_at_ || chosen_index_ == target_) return;
  fetch_at_ = now + options_.retransmit;
  if (source_ == self || source_ == kNoNode) return;
  const Slot first = chosen_index_.Next();
  const Slot last = std::min(target_, chosen_index_.Plus(options_.window_slots_max));
  outbox.Send(source_, Life(), Fetch{.first_slot = first, .last_slot = last});
}

void Learner::EmitDurable(const Outbox& outbox, Output& out) {
  while (emitted_ < chosen_index_) {
    const SlotVote* const vote = acceptor_.VoteAt(emitted_.Next());
    CHECK(vote != nullptr && vote->chosen) << "slot " << emitted_.Next();
    // Applied before it is durable here, an entry could be in the state machine and missing from the
    // log after a crash.
    if (!outbox.IsDurable(vote->ticket)) return;
    ++emitted_;
    out.entries.push_back({.slot = emitted_, .entry = vote->entry});
  }
}

void Learner::NoteChosenIndex(Outbox& outbox) {
  if (noted_ == chosen_index_ || !outbox.IsGathering()) return;
  noted_ = chosen_index_;
  outbox.Persist(ChosenIndexRecord{noted_});
}

FetchAnswer Learner::MakeAnswer(Slot first, Slot last) const {
  FetchAnswer answer{.chosen_index = chosen_index_, .entries = {}};
  size_t bytes = 0;
  for (Slot slot = first; slot <= std::min(last, chosen_index_); ++slot) {
    const SlotVote* const vote = acceptor_.VoteAt(slot);
    CHECK(vote != nullptr && vote->chosen) << "slot " << slot;
    bytes += EntryBytes(*vote->entry);
    if (!answer.entries.empty() && bytes > options_.page_bytes_max) break;
    answer.entries.push_back({.slot = slot, .entry = vote->entry});
  }
  return answer;
}

}  // namespace decree::paxos
