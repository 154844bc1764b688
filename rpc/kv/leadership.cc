#include "rpc/kv/leadership.h"

#include <utility>

#include "rpc/leader_hint.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;
using paxos::NodeId;

}  // namespace

NodeId Leadership::LiveLeader() const {
  return replica().IsLeaderSilent(loop_.Now()) ? paxos::kNoNode : replica().leader();
}

bool Leadership::MayHelpSoon() const { return !replica().is_halted() && !replica().IsCutOff(loop_.Now()); }

Failure Leadership::WithLeader(Failure failure) const {
  if (failure.detail.leader() == 0) AddLeader(replica(), failure);
  return failure;
}

Failure Leadership::NotLeading(const char* verdict) const {
  return NotExecuted(StatusCode::UNAVAILABLE, StrCat(Name(), " does not lead", verdict));
}

std::string Leadership::WhyNoLeader() const {
  if (!TakesPart()) return StrCat("no leader: ", replica().Obstacles().front());
  if (replica().IsCutOff(loop_.Now())) {
    return StrCat("no leader: ", Name(), " hears no quorum of the cluster; ask another node");
  }
  const NodeId leader = replica().leader();
  if (leader == paxos::kNoNode || leader == self()) {
    return StrCat("no leader: ", Name(), " hears a quorum of the cluster, but no leader; ask another node");
  }
  return StrCat(Name(), " cannot reach the leader n", leader.value());
}

Failure Leadership::NoLeader(const char* verdict) const { return AskAnother(StrCat(WhyNoLeader(), verdict)); }

Failure Leadership::NotConfirmed() const {
  const NodeId leader = replica().leader();
  if (leader == paxos::kNoNode) {
    return AskAnother(StrCat(WhyNoLeader(), kNotServed, TakesPart() ? kStaleWouldBe : ""));
  }
  return AskAnother(
      StrCat("n", leader.value(), " leads, but no quorum has confirmed it to ", Name(), " in time", kNotServed));
}

Failure Leadership::NoMember() const {
  return AskAnother(StrCat(Name(), " takes no part in the cluster: ", replica().Obstacles().front()));
}

Failure Leadership::Closing() const { return AskAnother(StrCat(Name(), " is shutting down; ask another node")); }

}  // namespace decree::rpc
