#include "rpc/kv/kv_messages.h"

#include <utility>

#include "kv/command.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;

constexpr uint32_t kFullRetryMs = 20;
constexpr uint32_t kTooManyRetryMs = 1000;

template <typename Response>
void FillHeader(paxos::NodeId node, const v1::CommandResult& result, Response& response) {
  v1::ResponseHeader& header = *response.mutable_header();
  header.set_node(node.value());
  header.set_revision(result.revision());
  header.set_store_epoch(result.store_epoch());
}

Status CheckHeader(const v1::RequestHeader& header) {
  if (header.session() == 0) {
    if (header.number() == 0) return OkStatus();
    return absl::InvalidArgumentError("the request has a number and no session; open one first");
  }
  if (header.number() == 0) {
    return absl::InvalidArgumentError("the request has a session and no number; numbers begin at 1");
  }
  if (header.first_unanswered() <= header.number()) return OkStatus();
  return absl::InvalidArgumentError(
      StrCat("first_unanswered is ", header.first_unanswered(), ", above the request's own number ",
             header.number()));
}

Status CheckReadMode(v1::ReadMode read) {
  if (v1::ReadMode_IsValid(read)) return OkStatus();
  return absl::InvalidArgumentError(
      StrCat("read mode ", static_cast<int>(read), " is not known to this version"));
}

v1::Command CommandFor(const v1::RequestHeader& header) {
  v1::Command command;
  command.set_session(header.session());
  command.set_number(header.number());
  command.set_first_unanswered(header.first_unanswered());
  return command;
}

void FillAnswer(v1::CommandResult& result, v1::RequestAnswer& answer) {
  answer.set_revision(result.revision());
  answer.set_changed(result.changed());
  answer.set_version(result.version());
  if (result.has_previous()) answer.mutable_previous()->Swap(result.mutable_previous());
}

void FillEnd(v1::CommandResult& result, v1::OutcomeResponse& response) {
  if (result.refusal() == v1::CommandResult::REFUSAL_NONE) {
    response.set_state(v1::OutcomeResponse::STATE_ANSWERED);
    FillAnswer(result, *response.mutable_answer());
  } else if (result.refusal() == v1::CommandResult::REFUSAL_SETTLED) {
    response.set_state(v1::OutcomeResponse::STATE_CLOSED);
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

// Of a request that may have been carried out under another copy.
Failure LostInSession(std::string text, v1::ErrorDetail::Reason reason) {
  Failure failure = OutcomeUnknown(StatusCode::FAILED_PRECONDITION, std::move(text));
  failure.detail.set_reason(reason);
  return failure;
}

}  // namespace

// ---- At the door ----

Status Check(const v1::PutRequest& request) {
  RETURN_IF_ERROR(CheckHeader(request.header()));
  RETURN_IF_ERROR(kv::CheckKey(request.key()));
  return kv::CheckValue(request.value());
}

Status Check(const v1::DeleteRequest& request) {
  RETURN_IF_ERROR(CheckHeader(request.header()));
  return kv::CheckKey(request.key());
}

Status Check(const v1::CompareAndSwapRequest& request) {
  RETURN_IF_ERROR(CheckHeader(request.header()));
  return kv::CheckCommand(MakeCommand(request));
}

Status Check(const v1::GetRequest& request) {
  RETURN_IF_ERROR(CheckReadMode(request.read()));
  return kv::CheckKey(request.key());
}

Status Check(const v1::RangeRequest& request) {
  RETURN_IF_ERROR(CheckReadMode(request.read()));
  for (const std::string& bound : {request.first(), request.end()}) {
    if (!bound.empty()) RETURN_IF_ERROR(kv::CheckKey(bound));
  }
  return OkStatus();
}

Status Check(const v1::OpenSessionRequest& request) {
  if (request.header().session() == 0) return OkStatus();
  return absl::InvalidArgumentError("a session's id is given to it, not chosen; leave it out");
}

Status Check(const v1::CloseSessionRequest& request) {
  if (request.header().session() != 0) return OkStatus();
  return absl::InvalidArgumentError("the session to close is not given");
}

Status Check(const v1::OutcomeRequest& request) {
  if (request.header().session() != 0 && request.header().number() != 0) return OkStatus();
  return absl::InvalidArgumentError("session and number of the request in question must be given");
}

// ---- Requests to commands ----

v1::Command MakeCommand(const v1::PutRequest& request) {
  v1::Command command = CommandFor(request.header());
  v1::PutOperation& put = *command.mutable_put();
  put.set_key(request.key());
  put.set_value(request.value());
  put.set_return_previous(request.return_previous());
  return command;
}

v1::Command MakeCommand(const v1::DeleteRequest& request) {
  v1::Command command = CommandFor(request.header());
  v1::DeleteOperation& del = *command.mutable_delete_();
  del.set_key(request.key());
  del.set_return_previous(request.return_previous());
  return command;
}

v1::Command MakeCommand(const v1::CompareAndSwapRequest& request) {
  v1::Command command = CommandFor(request.header());
  v1::CompareAndSwapOperation& swap = *command.mutable_compare_and_swap();
  swap.set_key(request.key());
  swap.set_value(request.value());
  switch (request.expected_case()) {
    case v1::CompareAndSwapRequest::kExpectedValue:
      swap.set_expected_value(request.expected_value());
      break;
    case v1::CompareAndSwapRequest::kExpectedVersion:
      swap.set_expected_version(request.expected_version());
      break;
    case v1::CompareAndSwapRequest::kExpectedModRevision:
      swap.set_expected_mod_revision(request.expected_mod_revision());
      break;
    case v1::CompareAndSwapRequest::kExpectedAbsent:
      swap.set_expected_absent(request.expected_absent());
      break;
    case v1::CompareAndSwapRequest::EXPECTED_NOT_SET:
      break;
  }
  return command;
}

v1::Command MakeCommand(const v1::OpenSessionRequest&) {
  v1::Command command;
  command.mutable_open_session();
  return command;
}

v1::Command MakeCommand(const v1::CloseSessionRequest& request) {
  v1::Command command;
  command.set_session(request.header().session());
  command.mutable_close_session();
  return command;
}

v1::Command MakeCommand(const v1::OutcomeRequest& request) {
  v1::Command command;
  command.set_session(request.header().session());
  command.set_number(request.header().number());
  command.mutable_settle();
  return command;
}

// ---- Results to answers ----

void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::PutResponse& response) {
  FillHeader(node, result, response);
  if (result.has_previous()) response.mutable_previous()->Swap(result.mutable_previous());
  response.set_version(result.version());
}

void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::DeleteResponse& response) {
  FillHeader(node, result, response);
  response.set_deleted(result.changed());
  if (result.has_previous()) response.mutable_previous()->Swap(result.mutable_previous());
}

void FillResponse(paxos::NodeId node, v1::CommandResult& result,
                  v1::CompareAndSwapResponse& response) {
  FillHeader(node, result, response);
  response.set_swapped(result.changed());
  if (result.has_previous()) response.mutable_current()->Swap(result.mutable_previous());
  response.set_version(result.version());
}

void FillResponse(paxos::NodeId node, v1::CommandResult& result,
                  v1::OpenSessionResponse& response) {
  FillHeader(node, result, response);
  response.set_session(result.session());
}

void FillResponse(paxos::NodeId node, v1::CommandResult& result,
                  v1::CloseSessionResponse& response) {
  FillHeader(node, result, response);
}

void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::OutcomeResponse& response) {
  FillHeader(node, result, response);
  FillEnd(*result.mutable_settled(), response);
}

void FillResponse(kv::RequestFate& fate, v1::OutcomeResponse& response) {
  switch (fate.kind) {
    case kv::RequestFate::Kind::kEnded:
      return FillEnd(fate.answer, response);
    case kv::RequestFate::Kind::kBelowFloor:
      return response.set_state(v1::OutcomeResponse::STATE_FORGOTTEN);
    case kv::RequestFate::Kind::kNotYet:
    case kv::RequestFate::Kind::kUnknownSession:
      return response.set_state(v1::OutcomeResponse::STATE_NOT_YET);
  }
}

Failure RefusalOf(const v1::CommandResult& result) {
  using Detail = v1::ErrorDetail;
  switch (result.refusal()) {
    case v1::CommandResult::REFUSAL_GUARD:
      return NotExecuted(StatusCode::FAILED_PRECONDITION, "the guard's token is not held");
    case v1::CommandResult::REFUSAL_LIMIT:
      return NotExecuted(StatusCode::INVALID_ARGUMENT,
                         "a key or value is over the limit of the store");
    case v1::CommandResult::REFUSAL_SESSION_UNKNOWN:
      return LostInSession("the session has expired or was closed", Detail::REASON_SESSION_UNKNOWN);
    case v1::CommandResult::REFUSAL_BELOW_FLOOR:
      return LostInSession("the client has said that it does not wait for this request any more",
                           Detail::REASON_BELOW_FLOOR);
    case v1::CommandResult::REFUSAL_SESSION_FULL: {
      Failure failure = SessionRefusal(
          StatusCode::RESOURCE_EXHAUSTED,
          "the session has too many answers that its client may still ask for; send the request again "
          "under the same number, with a higher first_unanswered",
          Detail::REASON_SESSION_FULL);
      failure.detail.set_retry_after_ms(kFullRetryMs);
      return failure;
    }
    case v1::CommandResult::REFUSAL_NUMBER_REUSED:
      return SessionRefusal(StatusCode::INVALID_ARGUMENT,
                            "another request of the session has had this number",
                            Detail::REASON_NUMBER_REUSED);
    case v1::CommandResult::REFUSAL_SETTLED:
      return SessionRefusal(StatusCode::ABORTED, "the request was settled before it came",
                            Detail::REASON_SETTLED);
    case v1::CommandResult::REFUSAL_TOO_MANY_SESSIONS: {
      Failure failure =
          SessionRefusal(StatusCode::RESOURCE_EXHAUSTED,
                         "the cluster has as many sessions as it may; some will expire",
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
