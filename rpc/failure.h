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
  // The failure as it travels inside a message. A number that is no code, as the other end may claim, becomes UNKNOWN.
  v1::RequestError ToRequestError() const;
  static Failure FromRequestError(v1::RequestError error);
};

// The request was not carried out and never will be: the client may send it again freely.
Failure NotExecuted(grpc::StatusCode code, std::string text);
// The same for a lack of room: the client may send it again in a moment.
Failure Overloaded(std::string text);
// The same, because this node is of no use for now: the client may ask another.
Failure AskAnother(std::string text);
// The request may have been carried out, or may yet be.
Failure OutcomeUnknown(grpc::StatusCode code, std::string text);

// The ends of the text of a failed write, in either case.
inline constexpr char kNotCarriedOut[] = "; the write was not carried out";
inline constexpr char kMayHappen[] = "; the write may have been carried out, or may yet be";
// The end of that of a failed read, and what may be added to it.
inline constexpr char kNotServed[] = "; the read was not served";
inline constexpr char kStaleWouldBe[] = ", a stale read would be";
// The text of an error where the answer's size is bounded, see `Budget`.
inline constexpr char kNoRoomForAnswer[] = "answers that clients have not taken yet leave no room for this one";
// Cuts such an end off the text.
void CutVerdict(std::string& text);

// The two kinds of status share their codes.
grpc::Status ToGrpc(const Status& status);

// The detail of a call that has ended; nothing if the server sent none, as when the connection broke: then the outcome
// is unknown.
std::optional<v1::ErrorDetail> ReadErrorDetail(const grpc::ClientContext& context);

}  // namespace decree::rpc
