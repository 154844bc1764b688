#include "paxos/core/learner/learner.h"

#include <algorithm>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {

Learner::Learner(const Options& options, const RecoveredState& recovered, Acceptor& acceptor)
    : options_(options),
      acceptor_(acceptor),
      chosen_index_(recovered.chosen_index),
      emitted_(recovered.applied),
      noted_(recovered.chosen_index),
      catch_up_(options, recovered.chosen_index) {
  CHECK_LE(recovered.dropped_index, recovered.applied);
  CHECK_LE(recovered.applied, recovered.chosen_index);
}

void Learner::OnAnnounced(NodeId leader, Life life, Ballot ballot, Slot chosen_index, Time now) {
  if (ballot > announced_ballot_) {
    announced_ballot_ = ballot;
    announced_ = chosen_index;
  } else if (ballot == announced_ballot_) {
    announced_ = std::max(announced_, chosen_index);
  }
  catch_up_.Prefer(leader);
  // The Accept that closes the gap may just be on its way.
  OnKnownElsewhere(leader, life, chosen_index, kNoSlot, now, now + options_.gap_patience);
}

void Learner::OnKnownElsewhere(NodeId peer, Life life, Slot chosen_index, Slot trim_point, Time now, Time fetch_at) {
  catch_up_.OnNamed(peer, life, chosen_index, trim_point, now);
  if (chosen_index > chosen_index_) catch_up_.BeginBy(fetch_at);
}

void Learner::OnLeading() {
  catch_up_.Stop();
  announced_ = kNoSlot;
}

void Learner::OnCounted(Slot slot, const EntryPtr& entry, Ballot ballot, Outbox& outbox) {
  CHECK_GT(slot, chosen_index_) << "rule 2: proposed at or below the chosen index";
  acceptor_.SetChosen(slot, entry, ballot, outbox);
}

void Learner::Learn(Slot slot, const EntryPtr& entry, NodeId from, Outbox& outbox) {
  if (slot <= acceptor_.dropped_index()) return;
  if (slot > chosen_index_.Plus(options_.window_slots_max)) return;
  acceptor_.AdoptChosen(slot, entry, from, outbox);
}

void Learner::OnFetchAnswer(NodeId from, const FetchAnswer& answer, Time now, Outbox& outbox) {
  for (const SlotEntry& item : catch_up_.OnAnswer(from, answer, now)) {
    Learn(item.slot, item.entry, from, outbox);
  }
}

bool Learner::IsKnownChosen(Slot slot) const {
  const SlotVote* const vote = acceptor_.VoteAt(slot);
  if (vote == nullptr) return false;
  if (vote->chosen) return true;
  if (slot > announced_) return false;
  if (IsPlanted(PlantedBug::kChosenWithoutBallot)) return true;
  if (vote->ballot != announced_ballot_) {
    RARE_CASE("a vote under another ballot was not taken as chosen");
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
  return chosen_index_ > before;
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

}  // namespace decree::paxos
