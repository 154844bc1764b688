#include "paxos/core/proposer/phase1.h"

#include <algorithm>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

// Above what an acceptor ever holds, by far: it drops what does not fit into its tail and window, but for one entry,
// and goes on while it is asked.
size_t VoteBytesMax(const Options& options) {
  return 2 * (options.tail_bytes_max + options.window_bytes_max + options.batch_bytes_max + options.command_bytes_max);
}

}  // namespace

void Phase1::Start(Ballot ballot, Slot first_slot) {
  CHECK(!ballot.IsNone());
  CHECK_GE(ballot, ballot_);
  ballot_ = ballot;
  first_slot_ = first_slot;
  promisers_.clear();
  votes_.clear();
}

std::optional<LogPosition> Phase1::OnPromise(NodeId from, const Promise& promise, Time now) {
  if (promise.ballot != ballot_) return std::nullopt;
  const auto [found, is_new] =
      promisers_.try_emplace(from, Promiser{.wanted = {first_slot_}, .page_bytes = options_.fetch_piece_bytes});
  Promiser& promiser = found->second;
  if (promiser.complete || promise.position != promiser.wanted) return std::nullopt;

  for (const Vote& vote : promise.votes) {
    if (vote.entry != nullptr) promiser.bytes += EntryBytes(*vote.entry);
  }
  if (promise.part.has_value()) promiser.bytes += EntryBytes(*promise.part->entry.piece);
  // A peer that sends pages without end is not waited for, and its votes are not kept.
  if (promiser.bytes > VoteBytesMax(options_)) return std::nullopt;
  promiser.chosen_index = std::max(promiser.chosen_index, promise.chosen_index);
  for (const Vote& vote : promise.votes) TakeVote(vote);
  if (!promise.votes.empty()) promiser.last_vote = promise.votes.back().slot;
  if (!is_new) AdaptPage(promiser, now);
  promiser.page_at = now;

  if (promise.part.has_value() && !TakePart(*promise.part, promiser)) {
    promiser.wanted = {promise.part->entry.slot};
    return promiser.wanted;
  }
  if (promise.last_slot == Slot::Max()) {
    promiser.complete = true;
    return std::nullopt;
  }
  // A page that covers nothing would be asked for without end.
  if (EndOf(promise) <= promiser.wanted) return std::nullopt;
  promiser.wanted = EndOf(promise);
  return promiser.wanted;
}

bool Phase1::TakePart(const VotePart& part, Promiser& promiser) {
  if (!promiser.partial.Append(part.entry)) return false;
  if (const EntryPtr whole = promiser.partial.TakeWhole(); whole != nullptr) {
    RARE_CASE("a vote was reported in parts");
    promiser.last_vote = part.entry.slot;
    TakeVote({.slot = part.entry.slot, .ballot = part.ballot, .chosen = part.chosen, .entry = whole});
  }
  return true;
}

void Phase1::AdaptPage(Promiser& promiser, Time now) const {
  const Duration taken = now - promiser.page_at;
  const uint64_t bytes = taken > options_.retransmit       ? promiser.page_bytes / 2
                         : 2 * taken < options_.retransmit ? promiser.page_bytes * 2
                                                           : promiser.page_bytes;
  promiser.page_bytes = std::clamp<uint64_t>(bytes, options_.fetch_piece_bytes,
                                             std::max(options_.fetch_piece_bytes, options_.page_bytes_max));
}

void Phase1::TakeVote(const Vote& vote) {
  if (vote.slot < first_slot_ || vote.entry == nullptr) return;
  const auto [found, is_new] = votes_.try_emplace(vote.slot, vote);
  if (is_new) return;
  Vote& best = found->second;
  if (best.chosen) return;
  const bool better =
      IsPlanted(PlantedBug::kWrongValueInRecovery) ? vote.ballot < best.ballot : vote.ballot > best.ballot;
  if (vote.ballot != best.ballot) RARE_CASE("two acceptors reported different ballots for a slot");
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

std::optional<LogPosition> Phase1::WantedFrom(NodeId node) const {
  const auto found = promisers_.find(node);
  if (found == promisers_.end()) return LogPosition{first_slot_};
  if (found->second.complete) return std::nullopt;
  return found->second.wanted;
}

uint64_t Phase1::PageBytes(NodeId node) const {
  const auto found = promisers_.find(node);
  return found == promisers_.end() ? options_.fetch_piece_bytes : found->second.page_bytes;
}

}  // namespace decree::paxos
