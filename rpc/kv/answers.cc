#include "rpc/kv/answers.h"

#include <string>
#include <utility>

namespace decree::rpc {
namespace {

using grpc::StatusCode;

constexpr uint32_t kFullRetryMs = 20;
constexpr uint32_t kTooManyRetryMs = 1000;

void FillEnd(const v1::CommandResult& result, v1::OutcomeResponse& response) {
  if (result.refusal() == v1::CommandResult::REFUSAL_NONE) {
    response.set_state(v1::OutcomeResponse::STATE_ANSWERED);
    v1::RequestAnswer& answer = *response.mutable_answer();
    answer.set_revision(result.revision());
    answer.set_changed(result.changed());
    answer.set_version(result.version());
  } else if (result.refusal() == v1::CommandResult::REFUSAL_SETTLED) {
    response.set_state(v1::OutcomeResponse::STATE_SETTLED);
  } else {
    response.set_state(v1::OutcomeResponse::STATE_REFUSED);
    response.set_refusal(RefusalOf(result).text);
  }
}

Failure SessionRefusal(StatusCode code, std::string text, v1::ErrorDetail::Reason reason) {
  Failure failure = NotExecuted(code, std::move(text));
  failure.detail.set_reason(reason);
  return failure;
}

// The failure of a request of which another copy may have been carried out.
Failure LostInSession(std::string text, v1::ErrorDetail::Reason reason) {
  Failure failure = OutcomeUnknown(StatusCode::FAILED_PRECONDITION, std::move(text));
  failure.detail.set_reason(reason);
  return failure;
}

}  // namespace

void FillHeader(paxos::NodeId node, uint64_t revision, uint64_t epoch, v1::ResponseHeader& header) {
  header.set_node(node.value());
  header.set_revision(revision);
  header.set_store_epoch(epoch);
}

void FillResponse(const v1::CommandResult& result, v1::PutResponse& response) {
  response.set_version(result.version());
}

void FillResponse(const v1::CommandResult& result, v1::DeleteResponse& response) {
  response.set_deleted(result.changed());
}

void FillResponse(const v1::CommandResult& result, v1::CompareAndSwapResponse& response) {
  response.set_swapped(result.changed());
  response.set_version(result.version());
}

void FillResponse(const v1::CommandResult& result, v1::OpenSessionResponse& response) {
  response.set_session(result.session());
}

void FillResponse(const v1::CommandResult&, v1::CloseSessionResponse&) {}

void FillResponse(const v1::CommandResult& result, v1::OutcomeResponse& response) {
  FillEnd(result.settled(), response);
}

void FillResponse(kv::RequestFate fate, const v1::CommandResult& result, v1::OutcomeResponse& response) {
  switch (fate) {
    case kv::RequestFate::kEnded:
      return FillEnd(result, response);
    case kv::RequestFate::kBelowFloor:
      return response.set_state(v1::OutcomeResponse::STATE_FORGOTTEN);
    case kv::RequestFate::kNotYet:
    case kv::RequestFate::kUnknownSession:
      return response.set_state(v1::OutcomeResponse::STATE_NOT_YET);
  }
}

void TellPrevious(std::optional<v1::KeyValue> previous, v1::PutResponse& response) {
  if (!previous.has_value()) return response.set_previous_omitted(true);
  *response.mutable_previous() = *std::move(previous);
}

void TellPrevious(std::optional<v1::KeyValue> previous, v1::DeleteResponse& response) {
  if (!previous.has_value()) return response.set_previous_omitted(true);
  *response.mutable_previous() = *std::move(previous);
}

void TellPrevious(std::optional<v1::KeyValue> previous, v1::CompareAndSwapResponse& response) {
  if (!previous.has_value()) return response.set_current_omitted(true);
  *response.mutable_current() = *std::move(previous);
}

void TellPrevious(std::optional<v1::KeyValue> previous, v1::OutcomeResponse& response) {
  if (!previous.has_value()) return response.mutable_answer()->set_previous_omitted(true);
  *response.mutable_answer()->mutable_previous() = *std::move(previous);
}

Failure RefusalOf(const v1::CommandResult& result) {
  using Detail = v1::ErrorDetail;
  switch (result.refusal()) {
    case v1::CommandResult::REFUSAL_GUARD:
      return NotExecuted(StatusCode::FAILED_PRECONDITION, "the guard's token is not held");
    case v1::CommandResult::REFUSAL_LIMIT:
      return NotExecuted(StatusCode::INVALID_ARGUMENT, "a key or value is over the limit of the store");
    case v1::CommandResult::REFUSAL_SESSION_UNKNOWN:
      return LostInSession("the session has expired or was closed", Detail::REASON_SESSION_UNKNOWN);
    case v1::CommandResult::REFUSAL_BELOW_FLOOR:
      return LostInSession("the client has said that it does not wait for this request any more",
                           Detail::REASON_BELOW_FLOOR);
    case v1::CommandResult::REFUSAL_SESSION_FULL: {
      Failure failure =
          SessionRefusal(StatusCode::RESOURCE_EXHAUSTED,
                         "the session has too many answers that its client may still ask for; send the request again "
                         "under the same number, with a higher first_unanswered",
                         Detail::REASON_SESSION_FULL);
      failure.detail.set_retry_after_ms(kFullRetryMs);
      return failure;
    }
    case v1::CommandResult::REFUSAL_NUMBER_REUSED:
      return SessionRefusal(StatusCode::INVALID_ARGUMENT, "another request of the session has had this number",
                            Detail::REASON_NUMBER_REUSED);
    case v1::CommandResult::REFUSAL_SETTLED:
      return SessionRefusal(StatusCode::ABORTED, "the request was settled before it came", Detail::REASON_SETTLED);
    case v1::CommandResult::REFUSAL_TOO_MANY_SESSIONS: {
      Failure failure =
          SessionRefusal(StatusCode::RESOURCE_EXHAUSTED, "the cluster has as many sessions as it may; some will expire",
                         Detail::REASON_TOO_MANY_SESSIONS);
      failure.detail.set_retry_after_ms(kTooManyRetryMs);
      return failure;
    }
    default:
      return NotExecuted(StatusCode::INVALID_ARGUMENT,
                         "the store does not know such a command; run the same version of decreed "
                         "on all nodes");
  }
}

}  // namespace decree::rpc
