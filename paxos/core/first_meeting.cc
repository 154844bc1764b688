#include "paxos/core/first_meeting.h"

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

constexpr char kFormatAll[] = "format all members anew: nothing is lost, for the cluster has not begun";

bool IsUsed(const RecoveredState& recovered) {
  return !recovered.promised.IsNone() || recovered.chosen_index != kNoSlot || !recovered.votes.empty();
}

bool KnowsAll(const Configuration& configuration) {
  return configuration.KnownIncarnations().size() == configuration.members.size();
}

std::string Name(NodeId node) { return StrCat("n", node.value()); }

}  // namespace

Status FirstMeeting::Check(const Identity& self, const RecoveredState& recovered) {
  const Member* const member = recovered.configuration.Find(self.node);
  if (member != nullptr && !member->incarnation.IsZero() && member->incarnation != self.incarnation) {
    return absl::FailedPreconditionError(
        StrCat("the cluster knows node ", self.node.value(), " by another incarnation than this ",
               "directory's: it was formatted anew, and may not come back under its old id"));
  }
  if (KnowsAll(recovered.configuration)) return OkStatus();
  if (recovered.roster.empty()) {
    if (!IsUsed(recovered) || IsPlanted(PlantedBug::kWipedNodeLetIn)) return OkStatus();
    return absl::DataLossError(
        "this node has promised or voted, and the file that names the incarnations of the members is "
        "missing. Restore that file, or replace the node by a new one under another id");
  }
  const auto own = recovered.roster.find(self.node);
  Configuration filled = recovered.configuration;
  filled.NoteIncarnations(recovered.roster);
  if (own == recovered.roster.end() || own->second != self.incarnation || !KnowsAll(filled)) {
    return absl::DataLossError(
        "the file that names the incarnations of the members does not fit the configuration: it is of "
        "another directory. Restore the right one, or replace the node by a new one under another id");
  }
  return OkStatus();
}

FirstMeeting::FirstMeeting(const Identity& self, const RecoveredState& recovered, Time now)
    : self_(self), next_at_(now) {
  const Configuration& configuration = recovered.configuration;
  for (const Member& member : configuration.members) members_.insert(member.id);
  heard_ = configuration.KnownIncarnations();
  if (HasHeardAll()) {
    has_begun_ = true;  // The record itself names them.
  } else if (!recovered.roster.empty()) {
    heard_ = recovered.roster;
    is_kept_ = true;
    CHECK(HasHeardAll());
    agreed_.insert(self.node);
    // A node alone has nobody to agree with.
    has_begun_ = IsUsed(recovered) || agreed_ == members_;
  } else {
    heard_ = {{self.node, self.incarnation}};
    has_begun_ = IsPlanted(PlantedBug::kWipedNodeLetIn);
  }
  if (has_begun_) next_at_ = kTimeNever;
}

void FirstMeeting::OnTick(Duration interval, Time now, Outbox& outbox) {
  if (now < next_at_) return;
  next_at_ = now + interval;
  KeepOnceWhole(outbox);
  IntroduceToOthers(outbox);
}

void FirstMeeting::IntroduceToOthers(Outbox& outbox) const {
  for (const NodeId member : members_) {
    if (member == self_.node) continue;
    outbox.SendAfter(kept_, member, Life(), Introduction{.known = heard_, .has_begun = has_begun_});
  }
}

void FirstMeeting::OnIntroduction(const Envelope& envelope, const Introduction& introduction, Outbox& outbox) {
  if (has_begun_) {
    if (introduction.has_begun) return;
    return outbox.Send(envelope.from, envelope.from_life, Introduction{.known = heard_, .has_begun = true});
  }
  std::string contradiction = Contradiction(envelope, introduction);
  if (!contradiction.empty()) {
    RARE_CASE("an introduction contradicted what was known");
    std::string& last = contradictions_[envelope.from];
    if (last != contradiction) LOG(WARNING) << Name(self_.node) << ": " << contradiction;
    last = std::move(contradiction);
    return;
  }
  contradictions_.erase(envelope.from);
  Incarnation& heard = heard_[envelope.from];
  LOG_IF(WARNING, !heard.IsZero() && heard != envelope.from_incarnation)
      << Name(self_.node) << ": " << Name(envelope.from) << " was formatted anew, or two nodes run under "
      << "this id";
  heard = envelope.from_incarnation;
  KeepOnceWhole(outbox);
  // Nobody reports a whole set before it is durable.
  if (!HasHeardAll() || introduction.known != heard_) return;
  agreed_.insert(envelope.from);
  if (!agreed_.contains(self_.node)) return;
  if (!introduction.has_begun && agreed_ != members_) return;
  has_begun_ = true;
  next_at_ = kTimeNever;
  contradictions_.clear();
  // A node that lacks a report of the others need not wait for it.
  IntroduceToOthers(outbox);
}

std::string FirstMeeting::Contradiction(const Envelope& envelope, const Introduction& introduction) const {
  const NodeId from = envelope.from;
  // Before the set is written, the last one counts: it may have been formatted again.
  if (is_kept_ && heard_.at(from) != envelope.from_incarnation) {
    return StrCat(Name(from), " is not the ", Name(from),
                  " that was heard before: two nodes run under "
                  "one id, or it was formatted anew. Stop the wrong one; if the right one is gone, ",
                  kFormatAll);
  }
  for (const auto& [node, incarnation] : introduction.known) {
    const auto ours = heard_.find(node);
    if (ours == heard_.end() || ours->second == incarnation || node == from) continue;
    if (node == self_.node) {
      return StrCat(Name(from), " knows another ", Name(node),
                    " than this one: two nodes run under one "
                    "id, or this one was formatted anew, and may not come back under its old id");
    }
    return StrCat(Name(from), " knows another ", Name(node), " than ", Name(self_.node),
                  " does: two "
                  "nodes run under one id, or it was formatted anew. Stop the wrong one; if this text "
                  "stays, ",
                  kFormatAll);
  }
  return {};
}

void FirstMeeting::KeepOnceWhole(Outbox& outbox) {
  if (is_kept_ || !HasHeardAll()) return;
  is_kept_ = true;
  kept_ = outbox.Persist(RosterRecord{.incarnations = heard_});
  // This node's own report, like everybody's, counts when it is durable.
  outbox.SendAfter(kept_, self_.node, Life(), Introduction{.known = heard_, .has_begun = false});
}

std::vector<std::string> FirstMeeting::Obstacles() const {
  std::vector<std::string> obstacles;
  if (has_begun_) return obstacles;
  for (const NodeId member : members_) {
    if (heard_.contains(member)) continue;
    obstacles.push_back(StrCat("the cluster has not begun: ", Name(member),
                               " has not been heard yet; all "
                               "first members must meet once. Start it, or check its address"));
  }
  for (const auto& [node, text] : contradictions_) obstacles.push_back(text);
  if (obstacles.empty()) {
    for (const NodeId member : members_) {
      if (agreed_.contains(member)) continue;
      obstacles.push_back(StrCat("the cluster has not begun: ", Name(member), " has not heard all the others yet"));
    }
  }
  return obstacles;
}

}  // namespace decree::paxos
