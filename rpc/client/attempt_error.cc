#include "rpc/client/attempt_error.h"

#include <string_view>

#include "absl/strings/cord.h"
#include "rpc/client/client.h"
#include "rpc/failure.h"

namespace decree::rpc {
namespace {

constexpr char kDetailUrl[] = "type.googleapis.com/decree.v1.ErrorDetail";

// gRPC names the peer as soon as the call has a connection; before, only what it was told to call.
bool HadConnection(const grpc::ClientContext& context) {
  const std::string peer = context.peer();
  return peer.starts_with("ipv4:") || peer.starts_with("ipv6:") || peer.starts_with("unix:");
}

}  // namespace

bool IsTransient(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded ||
         code == absl::StatusCode::kResourceExhausted;
}

AttemptEnd EndOf(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return {};
  return {.status = status, .detail = ReadErrorDetail(context), .was_sent = HadConnection(context)};
}

AttemptError LocalError(absl::StatusCode code, std::string text) {
  AttemptError error;
  error.code = code;
  error.text = std::move(text);
  error.may_have_run = false;
  error.was_sent = false;
  return error;
}

AttemptError ReadAttemptError(const AttemptEnd& end, const std::string& endpoint, Duration waited) {
  const grpc::Status& status = end.status;
  AttemptError error;
  error.code = static_cast<absl::StatusCode>(status.error_code());
  error.text = status.error_message();
  error.is_transient = IsTransient(error.code);

  if (end.detail.has_value()) {
    error.detail = *end.detail;
    error.may_have_run = end.detail->outcome() != v1::ErrorDetail::OUTCOME_NOT_EXECUTED;
    error.asks_another = end.detail->reason() == v1::ErrorDetail::REASON_ASK_ANOTHER;
    return error;
  }
  error.was_sent = end.was_sent;
  error.may_have_run = error.was_sent;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      error.is_broken = true;
      error.text = StrCat(error.was_sent ? "the connection to " : "cannot connect to ", endpoint,
                          error.was_sent ? " is lost (" : " (", status.error_message(), ")");
      break;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      error.is_broken = true;
      error.is_silent = error.was_sent;
      error.text = StrCat(endpoint, error.was_sent ? " did not answer" : " could not be reached", " within ",
                          ToMilliseconds(waited), " ms");
      break;
    case grpc::StatusCode::CANCELLED:
      error.is_transient = true;
      error.is_broken = true;
      // We cancel no attempt that was sent, so the node has ended in the middle of it.
      error.text = error.was_sent ? StrCat(endpoint, " has cut the request off")
                                  : StrCat(endpoint, " could not be reached within ", ToMilliseconds(waited), " ms");
      break;
    case grpc::StatusCode::UNIMPLEMENTED:
      error.may_have_run = false;
      error.text = StrCat(endpoint, " does not know this request",
                          status.error_message().empty() ? "" : StrCat(" (", status.error_message(), ")"),
                          "; is it a decreed of this version?");
      break;
    default:
      // Refused by gRPC itself, here or there: too large, perhaps. It would be refused again.
      error.is_transient = false;
      break;
  }
  return error;
}

Status MakeRequestError(const AttemptError& error, const RequestEnd& request) {
  std::string text = error.text;
  if (!request.is_read) CutVerdict(text);  // That is over the last attempt; the one over all takes its place.
  if (request.attempts > 1) text += StrCat(" (after ", request.attempts, " attempts)");
  const bool is_unknown = request.is_write && request.may_have_run;
  if (request.is_write) text.append(is_unknown ? kMayHappen : kNotCarriedOut);
  Status status(error.code, StrCat(request.what, ": ", text));
  v1::ErrorDetail detail = error.detail;
  detail.set_outcome(is_unknown ? v1::ErrorDetail::OUTCOME_UNKNOWN : v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  // The caller's next request has another number.
  detail.set_safe_to_retry(!is_unknown);
  if (is_unknown) {
    detail.set_session(request.session);
    detail.set_number(request.number);
  }
  status.SetPayload(kDetailUrl, absl::Cord(detail.SerializeAsString()));
  return status;
}

v1::ErrorDetail ErrorDetailOf(const Status& error) {
  v1::ErrorDetail detail;
  if (const auto payload = error.GetPayload(kDetailUrl)) {
    detail.ParseFromString(std::string(*payload));
  }
  return detail;
}

bool MayHaveHappened(const Status& error) { return ErrorDetailOf(error).outcome() == v1::ErrorDetail::OUTCOME_UNKNOWN; }

}  // namespace decree::rpc
