#include "rpc/kv/commands.h"

#include <utility>

#include "kv/command.h"
#include "kv/sessions.h"

namespace decree::rpc {
namespace {

v1::Command CommandFor(const v1::RequestHeader& header) {
  v1::Command command;
  command.set_session(header.session());
  command.set_number(header.number());
  command.set_first_unanswered(header.first_unanswered());
  return command;
}

Status CheckSessionNumber(const v1::Command& command) {
  if (command.session() == 0) {
    if (command.number() == 0) return OkStatus();
    return absl::InvalidArgumentError("the request has a number and no session; open one first");
  }
  if (command.number() == 0) {
    return absl::InvalidArgumentError("the request has a session and no number; numbers begin at 1");
  }
  if (command.first_unanswered() <= command.number()) return OkStatus();
  return absl::InvalidArgumentError(StrCat("first_unanswered is ", command.first_unanswered(),
                                           ", above the request's own number ", command.number()));
}

Status CheckNamesRequest(uint64_t session, uint64_t number) {
  if (session != 0 && number != 0) return OkStatus();
  return absl::InvalidArgumentError("session and number of the request in question must be given");
}

Status CheckReadMode(v1::ReadMode read) {
  if (v1::ReadMode_IsValid(read)) return OkStatus();
  return absl::InvalidArgumentError(StrCat("read mode ", static_cast<int>(read), " is not known to this version"));
}

}  // namespace

// ---- Writes ----

v1::Command MakeCommand(v1::PutRequest& request) {
  v1::Command command = CommandFor(request.header());
  v1::PutOperation& put = *command.mutable_put();
  put.mutable_key()->swap(*request.mutable_key());
  put.mutable_value()->swap(*request.mutable_value());
  put.set_return_previous(request.return_previous());
  return command;
}

v1::Command MakeCommand(v1::DeleteRequest& request) {
  v1::Command command = CommandFor(request.header());
  v1::DeleteOperation& del = *command.mutable_delete_();
  del.mutable_key()->swap(*request.mutable_key());
  del.set_return_previous(request.return_previous());
  return command;
}

v1::Command MakeCommand(v1::CompareAndSwapRequest& request) {
  v1::Command command = CommandFor(request.header());
  v1::CompareAndSwapOperation& swap = *command.mutable_compare_and_swap();
  swap.mutable_key()->swap(*request.mutable_key());
  swap.mutable_value()->swap(*request.mutable_value());
  switch (request.expected_case()) {
    case v1::CompareAndSwapRequest::kExpectedValue:
      swap.mutable_expected_value()->swap(*request.mutable_expected_value());
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

v1::Command MakeCommand(v1::OpenSessionRequest& request) {
  v1::Command command;
  command.set_session(request.header().session());
  *command.mutable_open_session()->mutable_limits() = kv::ToWire(kv::SessionLimits());
  return command;
}

v1::Command MakeCommand(v1::CloseSessionRequest& request) {
  v1::Command command;
  command.set_session(request.header().session());
  command.mutable_close_session();
  return command;
}

v1::Command MakeCommand(v1::OutcomeRequest& request) {
  v1::Command command;
  command.set_session(request.header().session());
  command.set_number(request.header().number());
  command.mutable_settle();
  return command;
}

Status Check(const v1::Command& command) {
  switch (command.operation_case()) {
    case v1::Command::kOpenSession:
      if (command.session() == 0) return OkStatus();
      return absl::InvalidArgumentError("a session's id is given to it, not chosen; leave it out");
    case v1::Command::kCloseSession:
      if (command.session() != 0) return OkStatus();
      return absl::InvalidArgumentError("the session to close is not given");
    case v1::Command::kSettle:
      return CheckNamesRequest(command.session(), command.number());
    default:
      RETURN_IF_ERROR(CheckSessionNumber(command));
      return kv::CheckCommand(command);
  }
}

// ---- Reads ----

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

Status Check(const v1::OutcomeRequest& request) {
  return CheckNamesRequest(request.header().session(), request.header().number());
}

}  // namespace decree::rpc
