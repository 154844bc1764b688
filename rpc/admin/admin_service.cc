#include "rpc/admin/admin_service.h"

#include <string>
#include <utility>

#include "rpc/failure.h"
#include "rpc/leader_hint.h"
#include "rpc/loop/unary_call.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;
using paxos::NodeId;
using paxos::TransferResult;

// Longer than any election timeout that makes sense.
constexpr Duration kPatience = Seconds(10);
// How long an answer that tells much waits for its room.
constexpr Duration kStatusPatience = Seconds(5);

Failure NotLeading(const paxos::Replica& replica) {
  Failure failure = NotExecuted(StatusCode::UNAVAILABLE, StrCat("n", replica.self().node.value(), " does not lead"));
  AddLeader(replica, failure);
  return failure;
}

Failure Refusal(TransferResult result, NodeId heir, const paxos::Replica& replica) {
  const std::string name = StrCat("n", heir.value());
  switch (result) {
    case TransferResult::kNoVoter:
      return NotExecuted(StatusCode::FAILED_PRECONDITION, heir == replica.self().node
                                                              ? StrCat(name, " leads already")
                                                              : StrCat(name, " is no voting member of the cluster"));
    case TransferResult::kHeirUnheard:
      return NotExecuted(StatusCode::FAILED_PRECONDITION, StrCat(name, " was not heard from lately; is it running?"));
    case TransferResult::kHeirUnready:
      return NotExecuted(StatusCode::FAILED_PRECONDITION,
                         StrCat(name, " has just started, and may not lead yet; try again in a moment"));
    case TransferResult::kHeirBehind:
      return NotExecuted(StatusCode::FAILED_PRECONDITION,
                         StrCat(name, " is far behind; try again when it has caught up"));
    case TransferResult::kBegun:
    case TransferResult::kNotLeader:
      break;
  }
  return NotLeading(replica);
}

}  // namespace

AdminService::AdminService(EventLoop& loop, Methods& methods, paxos::Node& node, const NodeStatusReport& report)
    : loop_(loop), node_(node), report_(report), patience_(loop.timers(), [this] { EndTransfer(); }) {
  OfferUnary<v1::NodeStatusRequest, v1::NodeStatusResponse>(methods, "/decree.v1.Admin/NodeStatus", nullptr,
                                                            [this](const auto& call) { OnNodeStatus(call); });
  OfferUnary<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>(
      methods, "/decree.v1.Admin/TransferLeadership", nullptr,
      [this](TransferCall call) { OnTransfer(std::move(call)); });
}

void AdminService::OnNodeStatus(const StatusCall& call) {
  call->taker().WhenRoom(
      loop_.Now() + kStatusPatience, [] { return Budget::Size::kSmall; },
      [this, call](bool has_room) {
        if (!has_room) return call->Fail(Overloaded(kNoRoomForAnswer));
        report_.Fill(call->response());
        call->Finish();
      });
}

void AdminService::OnTransfer(TransferCall call) {
  if (transferring_ != nullptr) {
    return call->Fail(NotExecuted(StatusCode::FAILED_PRECONDITION, "another transfer is under way already"));
  }
  const NodeId heir(call->request().heir());
  const TransferResult result = node_.TransferLeadership(heir);
  if (result != TransferResult::kBegun) return call->Fail(Refusal(result, heir, node_.replica()));
  transferring_ = std::move(call);
  patience_.Set(loop_.Now() + kPatience);
}

void AdminService::AfterTurn() {
  if (transferring_ == nullptr) return;
  const NodeId leader = node_.replica().leader();
  if (leader == paxos::kNoNode || leader == node_.replica().self().node) return;
  EndTransfer();
}

void AdminService::EndTransfer() {
  patience_.Cancel();
  const TransferCall call = std::exchange(transferring_, nullptr);
  const NodeId leader = node_.replica().leader();
  if (leader == paxos::kNoNode) {
    return call->Fail(
        OutcomeUnknown(StatusCode::DEADLINE_EXCEEDED, "leadership was given up, and nobody has taken it yet"));
  }
  call->response().set_leader(leader.value());
  call->Finish();
}

}  // namespace decree::rpc
