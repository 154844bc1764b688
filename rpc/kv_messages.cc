#include "rpc/kv_messages.h"

#include <utility>

#include "kv/command.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;

template <typename Response>
void FillHeader(paxos::NodeId node, const v1::CommandResult& result, Response& response) {
  v1::ResponseHeader& header = *response.mutable_header();
  header.set_node(node.value());
  header.set_revision(result.revision());
  header.set_store_epoch(result.store_epoch());
}

}  // namespace

// ---- At the door ----

Status Check(const v1::PutRequest& request) {
  RETURN_IF_ERROR(kv::CheckKey(request.key()));
  return kv::CheckValue(request.value());
}

Status Check(const v1::DeleteRequest& request) { return kv::CheckKey(request.key()); }

Status Check(const v1::CompareAndSwapRequest& request) {
  return kv::CheckCommand(MakeCommand(request));
}

Status Check(const v1::GetRequest& request) {
  if (!v1::ReadMode_IsValid(request.read())) {
    return absl::InvalidArgumentError(
        StrCat("read mode ", static_cast<int>(request.read()), " is not known to this version"));
  }
  return kv::CheckKey(request.key());
}

// ---- Requests to commands ----

v1::Command MakeCommand(const v1::PutRequest& request) {
  v1::Command command;
  v1::PutOperation& put = *command.mutable_put();
  put.set_key(request.key());
  put.set_value(request.value());
  put.set_return_previous(request.return_previous());
  return command;
}

v1::Command MakeCommand(const v1::DeleteRequest& request) {
  v1::Command command;
  v1::DeleteOperation& del = *command.mutable_delete_();
  del.set_key(request.key());
  del.set_return_previous(request.return_previous());
  return command;
}

v1::Command MakeCommand(const v1::CompareAndSwapRequest& request) {
  v1::Command command;
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

Failure RefusalOf(const v1::CommandResult& result) {
  switch (result.refusal()) {
    case v1::CommandResult::REFUSAL_GUARD:
      return NotExecuted(StatusCode::FAILED_PRECONDITION, "the guard's token is not held");
    case v1::CommandResult::REFUSAL_LIMIT:
      return NotExecuted(StatusCode::INVALID_ARGUMENT,
                         "a key or value is over the limit of the store");
    case v1::CommandResult::REFUSAL_SESSION_UNKNOWN:
      return NotExecuted(StatusCode::FAILED_PRECONDITION, "the session is not known");
    default:
      return NotExecuted(StatusCode::INVALID_ARGUMENT,
                         "the store does not know such a command; run the same version of decreed "
                         "on all nodes");
  }
}

}  // namespace decree::rpc
