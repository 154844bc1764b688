#pragma once
// Errors on their way to a client: a gRPC status, and beside it an ErrorDetail in the trailer
// `decree-error-bin` that says whether the request may have been carried out and who leads.

#include <optional>
#include <string>

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "decree/v1/kv.pb.h"
#include "paxos/base/status.h"

namespace decree::rpc {

inline constexpr char kErrorDetailKey[] = "decree-error-bin";

// Why a request failed, in full.
struct Failure {
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  std::string text;
  v1::ErrorDetail detail;

  grpc::Status ToStatus() const { return grpc::Status(code, text); }
  // As it travels inside a message. A code that is none, as the other end may claim, becomes UNKNOWN.
  v1::RequestError ToRequestError() const;
  static Failure FromRequestError(v1::RequestError error);
};

// Never carried out and never will be: the client may send it again freely.
Failure NotExecuted(grpc::StatusCode code, std::string text);
// As above, for a lack of room: it is to come again in a moment.
Failure Overloaded(std::string text);
// May have been carried out, or yet be.
Failure OutcomeUnknown(grpc::StatusCode code, std::string text);

// What the text of a failed write ends with, in either case.
inline constexpr char kNotCarriedOut[] = "; the write was not carried out";
inline constexpr char kMayHappen[] = "; the write may have been carried out, or may yet be";
// That of a read, and what may be added to it.
inline constexpr char kNotServed[] = "; the read was not served";
inline constexpr char kStaleWouldBe[] = ", a stale read would be";
// The text without such an end.
void CutVerdict(std::string& text);

// The two kinds of status share their codes.
grpc::Status ToGrpc(const Status& status);

// After the call has ended. Nothing if the server sent none, as when the connection broke: then the
// outcome is unknown.
std::optional<v1::ErrorDetail> ReadErrorDetail(const grpc::ClientContext& context);

}  // namespace decree::rpc
