#include "paxos/core/proposer/phase2.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {

void Phase2::Start(Ballot ballot) {
  CHECK(!ballot.IsNone());
  CHECK_GE(ballot, ballot_);
  ballot_ = ballot;
  in_flight_.clear();
  bytes_ = 0;
  unsent_.clear();
  recent_.clear();
  recent_bytes_ = 0;
  horizon_ = kNoSlot;
  known_.clear();
  resends_.clear();
  retransmit_at_ = kTimeNever;
}

void Phase2::Propose(Slot slot, EntryPtr entry) {
  bytes_ += EntryBytes(*entry);
  unsent_.push_back({.slot = slot, .entry = entry});
  const bool is_new = in_flight_.try_emplace(slot, InFlight{.entry = std::move(entry)}).second;
  CHECK(is_new) << "a second value for slot " << slot << " in ballot " << ballot_;
}

void Phase2::Send(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox) {
  if (unsent_.empty()) return;
  for (const SlotEntry& item : unsent_) {
    in_flight_.at(item.slot).overdue_at = now + options_.retransmit;  // Nobody can have voted for it yet.
  }
  NoteRecent(unsent_, chosen_index);
  const Accept accept{.ballot = ballot_, .chosen_index = chosen_index, .entries = std::move(unsent_)};
  unsent_.clear();
  for (const Member& member : configuration.members) {
    if (!member.voter) continue;
    if (IsFarBehind(member.id)) {
      RARE_CASE("a voter that lags was spared an accept");
      continue;
    }
    outbox.Send(member.id, Life(), accept);
  }
  retransmit_at_ = std::min(retransmit_at_, now + options_.retransmit);
}

void Phase2::NoteRecent(const std::vector<SlotEntry>& entries, Slot chosen_index) {
  for (const SlotEntry& item : entries) {
    recent_.emplace_back(item.slot, EntryBytes(*item.entry));
    recent_bytes_ += recent_.back().second;
  }
  // A voter that answers at once knows all but what was in flight when the last Accept left.
  const size_t slots_min = in_flight_.size() + options_.slots_in_flight_max + 1;
  while (recent_bytes_ > bytes_ + options_.accept_backlog_bytes_max && recent_.size() > slots_min &&
         recent_.front().first <= chosen_index) {
    horizon_ = recent_.front().first;
    recent_bytes_ -= recent_.front().second;
    recent_.pop_front();
  }
}

bool Phase2::IsFarBehind(NodeId voter) const {
  if (voter == ballot_.node) return false;
  const auto found = known_.find(voter);
  return (found == known_.end() ? kNoSlot : found->second) < horizon_;
}

void Phase2::OnVoterKnows(NodeId voter, Slot chosen_index) {
  Slot& known = known_[voter];
  const Slot before = known;
  known = std::max(known, chosen_index);
  if (in_flight_.empty()) return;
  const Slot first = in_flight_.begin()->first;
  if (before.Next() < first && known.Next() >= first) AskSoon(voter);
}

void Phase2::AskSoon(NodeId voter) {
  const auto found = resends_.find(voter);
  const Slots::const_iterator oldest = Oldest(voter);
  if (found == resends_.end() || oldest == in_flight_.end() || !found->second.IsAbout(oldest->first)) return;
  RARE_CASE("a voter that had caught up was asked again for what it had missed");
  found->second.AskSoon();
  retransmit_at_ = Time::min();
}

Phase2::Slots::const_iterator Phase2::Oldest(NodeId voter) const {
  return std::find_if(in_flight_.begin(), in_flight_.end(),
                      [&](const auto& item) { return !item.second.accepted.Contains(voter); });
}

std::vector<SlotEntry> Phase2::OnAccepted(NodeId from, const Accepted& accepted, const Configuration& configuration) {
  std::vector<SlotEntry> chosen;
  if (accepted.ballot != ballot_ || !configuration.IsVoter(from)) return chosen;
  OnVoterKnows(from, accepted.chosen_index);
  const uint32_t quorum = IsPlanted(PlantedBug::kQuorumOfOne) ? 1 : configuration.q2;
  for (const Slot slot : accepted.slots) {
    const auto found = in_flight_.find(slot);
    if (found == in_flight_.end()) continue;
    if (!found->second.accepted.Add(from)) RARE_CASE("a vote arrived twice");
    if (found->second.accepted.count() < quorum) continue;
    chosen.push_back({.slot = slot, .entry = found->second.entry});
    Remove(found);
  }
  if (accepted.inquiry != 0) OnAnswer(from, accepted.inquiry);
  return chosen;
}

void Phase2::OnAnswer(NodeId voter, uint64_t inquiry) {
  const auto found = resends_.find(voter);
  const Slots::const_iterator oldest = Oldest(voter);
  if (found == resends_.end() || oldest == in_flight_.end()) return;
  if (found->second.OnAnswer(oldest->first, inquiry)) retransmit_at_ = Time::min();
}

void Phase2::CheckChosen(Slot chosen_index) const {
  CHECK(in_flight_.empty() || in_flight_.begin()->first > chosen_index)
      << "rule 4: a leader learnt from others what it proposes itself: slot=" << in_flight_.begin()->first
      << " ballot=" << ballot_;
}

void Phase2::Retransmit(const Configuration& configuration, Slot chosen_index, Time now, Outbox& outbox) {
  if (now < retransmit_at_) return;
  retransmit_at_ = kTimeNever;
  for (const Member& member : configuration.members) {
    const Slots::const_iterator oldest = Oldest(member.id);
    if (!member.voter || oldest == in_flight_.end()) continue;
    Resend& resend = resends_.try_emplace(member.id, options_).first->second;
    const Time overdue_at = oldest->second.overdue_at;
    const auto ask_at = [&] {
      return resend.IsAbout(oldest->first) ? std::max(overdue_at, resend.again_at()) : overdue_at;
    };
    if (resend.IsAbout(oldest->first) && resend.copy_bytes() > 0) {
      SendCopy(member.id, oldest, resend, chosen_index, now, outbox);
    } else if (now >= ask_at()) {
      Ask(member.id, oldest, resend, chosen_index, now, outbox);
    }
    retransmit_at_ = std::min(retransmit_at_, ask_at());
  }
}

void Phase2::Ask(NodeId voter, Slots::const_iterator oldest, Resend& resend, Slot chosen_index, Time now,
                 Outbox& outbox) {
  Accept question{.ballot = ballot_, .chosen_index = chosen_index, .entries = {}, .inquiry = ++inquiries_};
  for (auto slot = oldest; slot != in_flight_.end() && now >= slot->second.overdue_at; ++slot) {
    if (!slot->second.accepted.Contains(voter)) question.asked.push_back(slot->first);
  }
  resend.OnAsked(oldest->first, question.asked.back(), question.inquiry, now);
  outbox.Send(voter, Life(), std::move(question));
}

void Phase2::SendCopy(NodeId voter, Slots::const_iterator oldest, Resend& resend, Slot chosen_index, Time now,
                      Outbox& outbox) {
  RARE_CASE("a voter was sent again what it lacked");
  Accept copy{.ballot = ballot_, .chosen_index = chosen_index, .entries = {}, .inquiry = ++inquiries_};
  size_t bytes = 0;
  for (auto slot = oldest; slot != in_flight_.end() && slot->first <= resend.last(); ++slot) {
    if (slot->second.accepted.Contains(voter)) continue;
    bytes += EntryBytes(*slot->second.entry);
    if (!copy.entries.empty() && bytes > resend.copy_bytes()) break;
    copy.entries.push_back({.slot = slot->first, .entry = slot->second.entry});
  }
  resend.OnCopied(oldest->first, copy.inquiry, now);
  outbox.Send(voter, Life(), std::move(copy));
}

Time Phase2::NextDeadline() const { return in_flight_.empty() ? kTimeNever : retransmit_at_; }

void Phase2::Remove(Slots::iterator slot) {
  bytes_ -= EntryBytes(*slot->second.entry);
  in_flight_.erase(slot);
  if (in_flight_.empty()) retransmit_at_ = kTimeNever;
}

}  // namespace decree::paxos
