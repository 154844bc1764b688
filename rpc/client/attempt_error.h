#pragma once
// What became of a request's attempt that failed, as far as the client can know.

#include <optional>
#include <string>

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "decree/v1/kv.pb.h"
#include "paxos/base/status.h"
#include "paxos/base/time.h"

namespace decree::rpc {

// How an attempt ended, in the client's eyes.
struct AttemptEnd {
  grpc::Status status;
  // The detail that the server sent; nothing if it was not the server that failed the request.
  std::optional<v1::ErrorDetail> detail;
  // The request may have reached the server.
  bool was_sent = true;
};

// The end of a call that is over.
AttemptEnd EndOf(const grpc::Status& status, const grpc::ClientContext& context);

// A failure, and what follows from it.
struct AttemptError {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string text;
  // The detail that the server sent; empty if it was not the server that failed the request.
  v1::ErrorDetail detail;
  // The request may have been carried out, or may yet be.
  bool may_have_run = true;
  // The request has left this process. If not, sending it again costs nobody anything.
  bool was_sent = true;
  // The request may succeed when it is sent again.
  bool is_transient = false;
  // Nothing was heard from the node itself, so it is better to ask another.
  bool is_broken = false;
  // Nothing was heard at all, not even that the connection is lost, which may take long to find out.
  bool is_silent = false;
  // The node has said so itself.
  bool asks_another = false;

  Duration retry_after() const { return Milliseconds(detail.retry_after_ms()); }
};

// Whether a request that failed with this may succeed when it is sent again.
bool IsTransient(absl::StatusCode code);

// The failure of a request that has not left this process.
AttemptError LocalError(absl::StatusCode code, std::string text);

// Reads a failure; `end` is not OK. `endpoint` and `waited` are for the text.
AttemptError ReadAttemptError(const AttemptEnd& end, const std::string& endpoint, Duration waited);

// A request over all its attempts.
struct RequestEnd {
  std::string what;  // "put"
  bool is_write = false;
  bool is_read = false;
  bool may_have_run = false;
  int attempts = 0;
  uint64_t session = 0;
  uint64_t number = 0;
};

// The error that the caller gets; for a write the text ends with whether it may have been carried out,
// and the detail names session and number to ask with if that is not known.
Status MakeRequestError(const AttemptError& error, const RequestEnd& request);

}  // namespace decree::rpc
