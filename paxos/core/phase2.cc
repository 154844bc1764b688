#include "paxos/core/phase2.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"

namespace decree::paxos {
namespace {

// A slot is sent again at least so often, in units of the first wait.
constexpr int kWaitMax = 8;

}  // namespace

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
  retransmit_at_ = kTimeNever;
}

void Phase2::Propose(Slot slot, EntryPtr entry) {
  bytes_ += EntryBytes(*entry);
  unsent_.push_back({.slot = slot, .entry = entry});
  const bool is_new = in_flight_.try_emplace(slot, InFlight{.entry = std::move(entry)}).second;
  CHECK(is_new) << "a second value for slot " << slot << " in ballot " << ballot_;
}

void Phase2::Send(const Configuration& configuration, Slot chosen_index, Time now,
                  Outbox& outbox) {
  if (unsent_.empty()) return;
  for (const SlotEntry& item : unsent_) {
    InFlight& sent = in_flight_.at(item.slot);  // Nobody can have voted for it yet.
    sent.wait = options_.retransmit;
    sent.again_at = now + options_.retransmit;
  }
  NoteRecent(unsent_, chosen_index);
  const Accept accept{
      .ballot = ballot_, .chosen_index = chosen_index, .entries = std::move(unsent_)};
  unsent_.clear();
  for (const Member& member : configuration.members) {
    if (!member.voter) continue;
    if (IsFarBehind(member.id)) {
      PROBE("a voter that lags was spared an accept");
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
  while (recent_bytes_ > bytes_ + options_.accept_backlog_bytes_max &&
         recent_.size() > slots_min && recent_.front().first <= chosen_index) {
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
  if (before.Next() < first && known.Next() >= first) SendAgainSoon(voter);
}

void Phase2::SendAgainSoon(NodeId voter) {
  for (auto& [slot, in_flight] : in_flight_) {
    if (in_flight.wait <= options_.retransmit || in_flight.accepted.Contains(voter)) continue;
    PROBE("a voter that had caught up was sent again what it had missed");
    in_flight.wait = options_.retransmit / 2;  // doubled when it is sent
    in_flight.again_at = Time::min();
    retransmit_at_ = Time::min();
  }
}

std::vector<SlotEntry> Phase2::OnAccepted(NodeId from, const Accepted& accepted,
                                          const Configuration& configuration) {
  std::vector<SlotEntry> chosen;
  if (accepted.ballot != ballot_ || !configuration.IsVoter(from)) return chosen;
  OnVoterKnows(from, accepted.chosen_index);
  const uint32_t quorum =
      IsPlanted(PlantedBug::kQuorumOfOne) ? 1 : configuration.q2;
  for (const Slot slot : accepted.slots) {
    const auto found = in_flight_.find(slot);
    if (found == in_flight_.end()) continue;
    if (!found->second.accepted.Add(from)) PROBE("a vote arrived twice");
    if (found->second.accepted.count() < quorum) continue;
    chosen.push_back({.slot = slot, .entry = found->second.entry});
    Remove(found);
  }
  return chosen;
}

void Phase2::CheckChosen(Slot chosen_index) const {
  CHECK(in_flight_.empty() || in_flight_.begin()->first > chosen_index)
      << "rule 4: a leader learnt from others what it proposes itself: slot=" << in_flight_.begin()->first
      << " ballot=" << ballot_;
}

void Phase2::Retransmit(const Configuration& configuration, Slot chosen_index, Time now,
                        Outbox& outbox) {
  if (now < retransmit_at_) return;
  for (const Member& member : configuration.members) {
    if (!member.voter) continue;
    Accept again{.ballot = ballot_, .chosen_index = chosen_index, .entries = {}};
    for (const auto& [slot, in_flight] : in_flight_) {
      if (now < in_flight.again_at || in_flight.accepted.Contains(member.id)) continue;
      again.entries.push_back({.slot = slot, .entry = in_flight.entry});
    }
    if (!again.entries.empty()) outbox.Send(member.id, Life(), std::move(again));
  }
  retransmit_at_ = kTimeNever;
  for (auto& [slot, in_flight] : in_flight_) {
    if (now >= in_flight.again_at) {
      in_flight.wait = std::min(2 * in_flight.wait, kWaitMax * options_.retransmit);
      in_flight.again_at = now + in_flight.wait;
    }
    retransmit_at_ = std::min(retransmit_at_, in_flight.again_at);
  }
}

Time Phase2::NextDeadline() const { return in_flight_.empty() ? kTimeNever : retransmit_at_; }

void Phase2::Remove(Slots::iterator slot) {
  bytes_ -= EntryBytes(*slot->second.entry);
  in_flight_.erase(slot);
  if (in_flight_.empty()) retransmit_at_ = kTimeNever;
}

}  // namespace decree::paxos
