#include "rpc/kv/kv_requests.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/probe.h"
#include "rpc/leader_hint.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;
using paxos::NodeId;
using paxos::Outcome;

// How many writes are forwarded at once.
constexpr size_t kForwardedMax = 512;

Failure AskAnother(std::string text) {
  Failure failure = NotExecuted(StatusCode::UNAVAILABLE, std::move(text));
  failure.detail.set_reason(v1::ErrorDetail::REASON_ASK_ANOTHER);
  return failure;
}

Failure Closing(const paxos::Replica& replica) {
  return AskAnother(StrCat("n", replica.self().node.value(), " is shutting down; ask another node"));
}

// Whether the state machine has judged the request itself, with all its copies.
bool IsVerdict(const Failure& failure) {
  if (failure.detail.reason() == v1::ErrorDetail::REASON_SESSION_UNKNOWN) return false;
  return failure.code == StatusCode::INVALID_ARGUMENT ||
         failure.code == StatusCode::FAILED_PRECONDITION || failure.code == StatusCode::ABORTED;
}

// What is said of the last copy does not hold for an earlier one.
void BecomeUnknown(Failure& failure) {
  failure.detail.set_outcome(v1::ErrorDetail::OUTCOME_UNKNOWN);
  if (failure.detail.reason() != v1::ErrorDetail::REASON_ASK_ANOTHER) failure.detail.clear_reason();
  CutVerdict(failure.text);
  failure.text.append(kMayHappen);
}

// Why this node cannot carry out what needs a leader.
std::string WhyNoLeader(const KvContext& context) {
  const paxos::Replica& replica = context.replica();
  if (!replica.takes_part()) return StrCat("no leader: ", replica.Obstacles().front());
  const std::string self = StrCat("n", replica.self().node.value());
  if (replica.IsCutOff(context.loop.Now())) {
    return StrCat("no leader: ", self, " hears no quorum of the cluster; ask another node");
  }
  const NodeId leader = replica.leader();
  if (leader == paxos::kNoNode || leader == replica.self().node) {
    return StrCat("no leader: ", self, " hears a quorum of the cluster, but no leader; ask another node");
  }
  return StrCat(self, " cannot reach the leader n", leader.value());
}

}  // namespace

Failure KvContext::WithLeader(Failure failure) const {
  if (failure.detail.leader() == 0) AddLeader(replica(), failure);
  return failure;
}

void KvContext::ForwardNext() {
  while (!to_forward.empty() && (is_closing || forwarded.size() < kForwardedMax)) {
    const std::shared_ptr<WriteRequest> next = std::move(to_forward.front());
    to_forward.pop_front();
    next->Try();
  }
}

NodeId KvContext::LiveLeader() const {
  return replica().IsLeaderSilent(loop.Now()) ? paxos::kNoNode : replica().leader();
}

// ---- Writes ----

WriteRequest::WriteRequest(KvContext& context, Duration time_left,
                           const v1::RequestHeader& header)
    : PendingRequest(context.loop, context.room, time_left), context_(context), header_(header) {}

void WriteRequest::Try() {
  if (state_ == State::kEnded) return;
  const paxos::Replica& replica = context_.replica();
  const NodeId leader = context_.LiveLeader();
  if (context_.is_closing) return EndWith(Closing(replica));
  if (replica.role() == paxos::Role::kLeader) return Propose();
  if (header_.forwarded() || (header_.no_forwarding() && leader != paxos::kNoNode)) {
    // A forwarder goes on by itself; a client that wants none of it is told whom to ask.
    return EndWith(NotExecuted(StatusCode::UNAVAILABLE,
                               StrCat("n", replica.self().node.value(), " does not lead",
                                      kNotCarriedOut)));
  }
  if (leader == paxos::kNoNode || leader == replica.self().node) return WaitForLeader();
  v1::KV::Stub* const stub = context_.clients.Connected(leader);
  if (stub == nullptr) return WaitForLeader();
  if (context_.forwarded.size() < kForwardedMax) return Forward(leader, *stub);
  state_ = State::kWaiting;
  context_.to_forward.push_back(std::static_pointer_cast<WriteRequest>(shared_from_this()));
}

void WriteRequest::WaitForLeader() {
  state_ = State::kWaiting;
  if (!context_.MayHelpSoon() || !Wait()) EndWith(NoLeader());
}

Failure WriteRequest::NoLeader() const { return AskAnother(StrCat(WhyNoLeader(context_), kNotCarriedOut)); }

void WriteRequest::OnDeadline() {
  if (state_ == State::kForwarded) forward_->TryCancel();  // Its event still comes.
  EndWith(TimedOut());
}

Failure WriteRequest::TimedOut() const {
  const paxos::Replica& replica = context_.replica();
  const std::string self = StrCat("n", replica.self().node.value());
  switch (state_) {
    case State::kProposed:
      return OutcomeUnknown(StatusCode::DEADLINE_EXCEEDED,
                            StrCat("no quorum has confirmed the write to ", self,
                                   " before the deadline", kMayHappen));
    case State::kForwarded:
      return OutcomeUnknown(StatusCode::DEADLINE_EXCEEDED,
                            StrCat("n", forwarded_to_.value(), ", to which ", self,
                                   " has forwarded the write, did not answer before the deadline",
                                   kMayHappen));
    case State::kWaiting:
    case State::kEnded:
      break;
  }
  return NoLeader();
}

// ---- At the leader ----

void WriteRequest::Propose() {
  state_ = State::kProposed;
  StopWaiting();
  auto self = std::static_pointer_cast<WriteRequest>(shared_from_this());
  context_.node.Propose(
      EncodeCommand(), answer_by(),
      [self = std::move(self)](Outcome outcome) { self->OnOutcome(std::move(outcome)); });
}

void WriteRequest::OnOutcome(Outcome outcome) {
  if (state_ == State::kEnded) return;
  switch (outcome.kind) {
    case Outcome::Kind::kApplied: {
      v1::CommandResult result;
      CHECK(result.ParseFromString(outcome.answer)) << "the state machine's own answer";
      if (result.refusal() != v1::CommandResult::REFUSAL_NONE) return EndWith(RefusalOf(result));
      End();
      return Answer(result);
    }
    case Outcome::Kind::kNotLeader:
    case Outcome::Kind::kSuperseded:
      PROBE("a write lost its leader and looks for the next");
      return WaitForLeader();
    case Outcome::Kind::kUnknown:
      return EndWith(OutcomeUnknown(
          StatusCode::UNAVAILABLE,
          StrCat("n", context_.replica().self().node.value(),
                 " leads no more, and cannot tell what has become of the write; ask another node", kMayHappen)));
    case Outcome::Kind::kOverloaded: {
      Failure failure =
          NotExecuted(StatusCode::RESOURCE_EXHAUSTED,
                      StrCat("too many writes are waiting at n",
                             context_.replica().self().node.value(), kNotCarriedOut));
      failure.detail.set_retry_after_ms(kOverloadRetryMs);
      return EndWith(std::move(failure));
    }
    case Outcome::Kind::kTooLarge:
      return EndWith(NotExecuted(StatusCode::INVALID_ARGUMENT,
                                 "the request as a whole is too large; see the limits of key "
                                 "and value"));
    case Outcome::Kind::kDeadline:
      state_ = State::kWaiting;
      return EndWith(NotExecuted(
          StatusCode::DEADLINE_EXCEEDED,
          StrCat("the deadline has passed before n", context_.replica().self().node.value(),
                 " could propose the write", kNotCarriedOut)));
  }
}

// ---- Elsewhere ----

void WriteRequest::Forward(NodeId leader, v1::KV::Stub& stub) {
  state_ = State::kForwarded;
  forwarded_to_ = leader;
  forward_ = std::make_unique<grpc::ClientContext>();
  const Duration time_left = answer_by() - context_.loop.Now();
  const gpr_timespec left = gpr_time_from_nanos(time_left.count(), GPR_TIMESPAN);
  forward_->set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), left));
  context_.forwarded.insert(this);
  StartForward(stub, *forward_);
}

void WriteRequest::CheckForward() {
  if (state_ == State::kForwarded && forwarded_to_ != context_.replica().leader()) {
    forward_->TryCancel();
  }
}

void WriteRequest::OnForwarded(bool) {
  context_.forwarded.erase(this);
  context_.ForwardNext();
  if (state_ == State::kEnded) return;  // It was too late.
  const grpc::Status status = TakeForwardStatus();
  if (!status.ok()) return OnForwardFailed(status);
  End();
  AnswerForwarded();
}

void WriteRequest::OnForwardFailed(const grpc::Status& status) {
  const std::optional<v1::ErrorDetail> detail = ReadErrorDetail(*forward_);
  const bool is_surely_not =
      detail.has_value() && detail->outcome() == v1::ErrorDetail::OUTCOME_NOT_EXECUTED;
  if (is_surely_not && status.error_code() == StatusCode::UNAVAILABLE) {
    PROBE("a forwarded write reached a node that does not lead");
    return WaitForLeader();
  }
  if (detail.has_value()) {
    return EndWith(
        {.code = status.error_code(), .text = status.error_message(), .detail = *detail});
  }
  // Not this node's to decide whether the leader has carried it out; its session does.
  if (header_.session() != 0) {
    PROBE("a forwarded write of a session was lost sight of and is sent again");
    was_lost_sight_of_ = true;
    return WaitForLeader();
  }
  // Not the node has answered but the connection has broken, or we gave up on it.
  EndWith(OutcomeUnknown(StatusCode::UNAVAILABLE,
                         StrCat("the connection to n", forwarded_to_.value(),
                                ", to which the write was forwarded, is lost (",
                                status.error_message(), ")", kMayHappen)));
}

void WriteRequest::EndWith(Failure failure) {
  if (state_ == State::kEnded) return;
  End();
  if (was_lost_sight_of_ && !IsVerdict(failure)) BecomeUnknown(failure);
  const bool was_not_executed = failure.detail.outcome() == v1::ErrorDetail::OUTCOME_NOT_EXECUTED;
  failure.detail.set_safe_to_retry(was_not_executed || header_.session() != 0);
  Fail(context_.WithLeader(std::move(failure)));
}

void WriteRequest::End() {
  state_ = State::kEnded;
  CancelDeadline();
}

// ---- Reads ----

ReadRequest::ReadRequest(KvContext& context, Duration time_left, bool may_ask,
                         std::function<void()> answer, std::function<void(const Failure&)> fail)
    : PendingRequest(context.loop, context.room, time_left),
      context_(context),
      may_ask_(may_ask),
      answer_(std::move(answer)),
      fail_(std::move(fail)) {}

void ReadRequest::Try() {
  if (has_ended_) return;
  const paxos::Replica& replica = context_.replica();
  if (context_.is_closing) return EndWith(Closing(replica));
  if (context_.LiveLeader() == paxos::kNoNode) return WaitForLeader();
  if (!may_ask_ && replica.leader() != replica.self().node) {
    return EndWith(NotExecuted(StatusCode::UNAVAILABLE,
                               StrCat("n", replica.self().node.value(), " does not lead")));
  }
  auto self = std::static_pointer_cast<ReadRequest>(shared_from_this());
  context_.node.Read([self = std::move(self)](paxos::ReadOutcome outcome) {
    self->OnRead(outcome);
  });
}

void ReadRequest::OnRead(paxos::ReadOutcome outcome) {
  if (has_ended_) return;
  if (outcome.granted) {
    has_ended_ = true;
    CancelDeadline();
    return answer_();
  }
  if (outcome.reason != paxos::RefusedRead::Reason::kOverloaded) return WaitForLeader();
  Failure failure = NotExecuted(
      StatusCode::RESOURCE_EXHAUSTED,
      StrCat("too many reads are waiting at n", context_.replica().self().node.value()));
  failure.detail.set_retry_after_ms(kOverloadRetryMs);
  EndWith(std::move(failure));
}

void ReadRequest::WaitForLeader() {
  if (!context_.MayHelpSoon() || !Wait()) OnDeadline();
}

void ReadRequest::OnDeadline() {
  const paxos::Replica& replica = context_.replica();
  const NodeId leader = replica.leader();
  EndWith(AskAnother(
      leader == paxos::kNoNode
          ? StrCat(WhyNoLeader(context_), kNotServed, replica.takes_part() ? kStaleWouldBe : "")
          : StrCat("n", leader.value(), " leads, but no quorum has confirmed it to n",
                   replica.self().node.value(), " in time", kNotServed)));
}

void ReadRequest::EndWith(Failure failure) {
  if (has_ended_) return;
  has_ended_ = true;
  CancelDeadline();
  fail_(context_.WithLeader(std::move(failure)));
}

}  // namespace decree::rpc
