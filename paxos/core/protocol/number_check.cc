#include "paxos/core/protocol/number_check.h"

#include <algorithm>
#include <variant>

namespace decree::paxos {
namespace {

Status Implausible(std::string text) { return absl::InvalidArgumentError(std::move(text)); }

class Checker {
 public:
  explicit Checker(const KnownNumbers& known) : known_(known) {}

  Status operator()(const Poll& m) const { return CheckRound(m.ballot, "ballot"); }
  Status operator()(const PollAnswer& m) const { return CheckRound(m.promised, "promised"); }
  Status operator()(const Prepare& m) const {
    if (m.waived >= m.ballot) return Implausible("waived: it is not below the ballot");
    return CheckRound(m.ballot, "ballot");
  }
  Status operator()(const Promise& m) const {
    const Slot last = m.chosen_index.Plus(known_.window_slots);
    if (m.last_slot != Slot::Max()) {
      // Each page brings something, so there cannot be more of them than votes.
      if (m.votes.empty() && !m.part.has_value()) {
        return Implausible("votes: none, and yet it is not the last page");
      }
      if (m.last_slot > last) return Implausible("last_slot: it is beyond the window");
    }
    for (const Vote& vote : m.votes) {
      // An acceptor drops entries beyond its window.
      if (vote.slot > last) return Implausible("votes: one is beyond the window");
      if (vote.ballot > m.ballot) return Implausible("votes: one is of a higher ballot than the promise");
    }
    if (m.part.has_value()) {
      if (!m.votes.empty()) return Implausible("part: there are votes beside it");
      if (m.part->entry.slot != m.last_slot) return Implausible("part: it is not where the page ends");
      if (m.part->entry.slot > last) return Implausible("part: it is beyond the window");
      if (m.part->ballot > m.ballot) return Implausible("part: it is of a higher ballot than the promise");
    }
    return OkStatus();
  }
  Status operator()(const Accept& m) const {
    RETURN_IF_ERROR(CheckRound(m.ballot, "ballot"));
    for (const SlotEntry& item : m.entries) {
      if (item.entry->proposer > m.ballot) return Implausible("entries: one was first proposed under a higher ballot");
    }
    return OkStatus();
  }
  Status operator()(const Nack& m) const { return CheckRound(m.promised, "promised"); }
  Status operator()(const Heartbeat& m) const { return CheckRound(m.ballot, "ballot"); }
  // What else there is counts only where it equals a number of this node's own, or concerns nobody but the sender.
  template <typename Other>
  Status operator()(const Other&) const {
    return OkStatus();
  }

 private:
  Status CheckRound(const Ballot& ballot, const char* field) const {
    if (ballot.round <= known_.round || ballot.round - known_.round <= kRoundStepMax) return OkStatus();
    return Implausible(
        StrCat(field, ": its round ", ballot.round, " lies too far above the highest known, ", known_.round));
  }

  const KnownNumbers known_;
};

}  // namespace

Ballot WithinStep(Ballot promised, Ballot asked) {
  // What was asked for may itself be one above the highest that the other knows.
  promised.round = std::min(promised.round, asked.round + kRoundStepMax - 1);
  return promised;
}

Status CheckNumbers(const Message& message, const KnownNumbers& known) { return std::visit(Checker(known), message); }

}  // namespace decree::paxos
