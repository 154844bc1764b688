#include "rpc/failure.h"

#include <initializer_list>
#include <string_view>
#include <utility>

namespace decree::rpc {
namespace {

// When whoever was refused for a lack of room is to come again.
constexpr uint32_t kOverloadRetryMs = 50;

Failure MakeFailure(grpc::StatusCode code, std::string text, v1::ErrorDetail::Outcome outcome) {
  Failure failure{.code = code, .text = std::move(text), .detail = {}};
  failure.detail.set_outcome(outcome);
  failure.detail.set_safe_to_retry(outcome == v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  return failure;
}

}  // namespace

v1::RequestError Failure::ToRequestError() const {
  v1::RequestError error;
  error.set_code(code);
  error.set_message(text);
  *error.mutable_detail() = detail;
  return error;
}

Failure Failure::FromRequestError(v1::RequestError error) {
  const bool is_known = error.code() > grpc::StatusCode::OK && error.code() <= grpc::StatusCode::UNAUTHENTICATED;
  return {.code = is_known ? static_cast<grpc::StatusCode>(error.code()) : grpc::StatusCode::UNKNOWN,
          .text = std::move(*error.mutable_message()),
          .detail = std::move(*error.mutable_detail())};
}

Failure NotExecuted(grpc::StatusCode code, std::string text) {
  return MakeFailure(code, std::move(text), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
}

Failure Overloaded(std::string text) {
  Failure failure = NotExecuted(grpc::StatusCode::RESOURCE_EXHAUSTED, std::move(text));
  failure.detail.set_retry_after_ms(kOverloadRetryMs);
  return failure;
}

Failure AskAnother(std::string text) {
  Failure failure = NotExecuted(grpc::StatusCode::UNAVAILABLE, std::move(text));
  failure.detail.set_reason(v1::ErrorDetail::REASON_ASK_ANOTHER);
  return failure;
}

Failure OutcomeUnknown(grpc::StatusCode code, std::string text) {
  return MakeFailure(code, std::move(text), v1::ErrorDetail::OUTCOME_UNKNOWN);
}

void CutVerdict(std::string& text) {
  using Texts = std::initializer_list<std::string_view>;
  for (const std::string_view verdict : Texts{kNotCarriedOut, kMayHappen, kStaleWouldBe, kNotServed}) {
    if (text.ends_with(verdict)) text.resize(text.size() - verdict.size());
  }
}

grpc::Status ToGrpc(const Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()), std::string(status.message()));
}

std::optional<v1::ErrorDetail> ReadErrorDetail(const grpc::ClientContext& context) {
  const auto& trailer = context.GetServerTrailingMetadata();
  const auto found = trailer.find(kErrorDetailKey);
  v1::ErrorDetail detail;
  if (found == trailer.end() || !detail.ParseFromArray(found->second.data(), static_cast<int>(found->second.size()))) {
    return std::nullopt;
  }
  return detail;
}

}  // namespace decree::rpc
