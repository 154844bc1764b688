#include "paxos/core/phase2.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"

namespace decree::paxos {

void Phase2::Start(Ballot ballot) {
  CHECK(!ballot.IsNone());
  CHECK_GE(ballot, ballot_);
  ballot_ = ballot;
  in_flight_.clear();
  bytes_ = 0;
  unsent_.clear();
  retransmit_at_ = kTimeNever;
}

void Phase2::Propose(Slot slot, EntryPtr entry) {
  bytes_ += EntryBytes(*entry);
  unsent_.push_back({.slot = slot, .entry = entry});
  const bool is_new = in_flight_.try_emplace(slot, InFlight{std::move(entry), {}}).second;
  CHECK(is_new) << "a second value for slot " << slot << " in ballot " << ballot_;
}

void Phase2::Send(const Configuration& configuration, Slot chosen_index, Time now,
                  Outbox& outbox) {
  if (unsent_.empty()) return;
  const Accept accept{
      .ballot = ballot_, .chosen_index = chosen_index, .entries = std::move(unsent_)};
  unsent_.clear();
  for (const Member& member : configuration.members) {
    if (member.voter) outbox.Send(member.id, Life(), accept);
  }
  retransmit_at_ = std::min(retransmit_at_, now + options_.retransmit);
}

std::vector<SlotEntry> Phase2::OnAccepted(NodeId from, const Accepted& accepted,
                                          const Configuration& configuration) {
  std::vector<SlotEntry> chosen;
  if (accepted.ballot != ballot_ || !configuration.IsVoter(from)) return chosen;
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

void Phase2::OnChosen(Slot chosen_index) {
  while (!in_flight_.empty() && in_flight_.begin()->first <= chosen_index) {
    PROBE("a slot in flight was learnt from another node");
    Remove(in_flight_.begin());
  }
}

void Phase2::Retransmit(const Configuration& configuration, Slot chosen_index, Time now,
                        Outbox& outbox) {
  if (now < retransmit_at_) return;
  for (const Member& member : configuration.members) {
    if (!member.voter) continue;
    Accept again{.ballot = ballot_, .chosen_index = chosen_index, .entries = {}};
    for (const auto& [slot, in_flight] : in_flight_) {
      if (in_flight.accepted.Contains(member.id)) continue;
      again.entries.push_back({.slot = slot, .entry = in_flight.entry});
    }
    if (!again.entries.empty()) outbox.Send(member.id, Life(), std::move(again));
  }
  unsent_.clear();
  retransmit_at_ = now + options_.retransmit;
}

Time Phase2::NextDeadline() const { return in_flight_.empty() ? kTimeNever : retransmit_at_; }

void Phase2::Remove(Slots::iterator slot) {
  bytes_ -= EntryBytes(*slot->second.entry);
  in_flight_.erase(slot);
  if (in_flight_.empty()) retransmit_at_ = kTimeNever;
}

}  // namespace decree::paxos
