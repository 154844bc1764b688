#include "paxos/core/phase1.h"

#include <algorithm>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"

namespace decree::paxos {

void Phase1::Start(Ballot ballot, Slot first_slot) {
  CHECK(!ballot.IsNone());
  CHECK_GE(ballot, ballot_);
  ballot_ = ballot;
  first_slot_ = first_slot;
  promisers_.clear();
  votes_.clear();
}

std::optional<Slot> Phase1::OnPromise(NodeId from, const Promise& promise) {
  if (promise.ballot != ballot_) return std::nullopt;
  const auto [found, is_new] =
      promisers_.try_emplace(from, Promiser{.wanted = first_slot_});
  Promiser& promiser = found->second;
  if (promiser.complete || promise.first_slot != promiser.wanted) return std::nullopt;

  for (const Vote& vote : promise.votes) {
    if (vote.entry != nullptr) promiser.bytes += EntryBytes(*vote.entry);
  }
  // A peer without end is not waited for, nor kept in memory.
  if (promiser.bytes > bytes_max_) return std::nullopt;
  promiser.chosen_index = std::max(promiser.chosen_index, promise.chosen_index);
  for (const Vote& vote : promise.votes) TakeVote(vote);
  if (!promise.votes.empty()) promiser.last_vote = promise.votes.back().slot;

  if (promise.last_slot == Slot::Max()) {
    promiser.complete = true;
    return std::nullopt;
  }
  // A page that covers nothing would be asked for without end.
  if (promise.last_slot < promiser.wanted) return std::nullopt;
  promiser.wanted = promise.last_slot.Next();
  return promiser.wanted;
}

void Phase1::TakeVote(const Vote& vote) {
  if (vote.slot < first_slot_ || vote.entry == nullptr) return;
  const auto [found, is_new] = votes_.try_emplace(vote.slot, vote);
  if (is_new) return;
  Vote& best = found->second;
  if (best.chosen) return;
  const bool better = IsPlanted(PlantedBug::kWrongValueInRecovery) ? vote.ballot < best.ballot
                                                                  : vote.ballot > best.ballot;
  if (vote.ballot != best.ballot) PROBE("two acceptors reported different ballots for a slot");
  if (vote.chosen || better) best = vote;
}

bool Phase1::IsComplete(const Configuration& configuration, Slot chosen_index) const {
  uint32_t complete = 0;
  for (const auto& [node, promiser] : promisers_) {
    if (configuration.IsVoter(node) && Counts(promiser, chosen_index)) ++complete;
  }
  return complete >= configuration.q1;
}

Slot Phase1::LastVote(const Configuration& configuration, Slot chosen_index) const {
  Slot last;
  for (const auto& [node, promiser] : promisers_) {
    if (configuration.IsVoter(node) && Counts(promiser, chosen_index)) last = std::max(last, promiser.last_vote);
  }
  return last;
}

std::optional<Slot> Phase1::WantedFrom(NodeId node) const {
  const auto found = promisers_.find(node);
  if (found == promisers_.end()) return first_slot_;
  if (found->second.complete) return std::nullopt;
  return found->second.wanted;
}

}  // namespace decree::paxos
