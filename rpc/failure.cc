#include "rpc/failure.h"

#include <initializer_list>
#include <string_view>
#include <utility>

namespace decree::rpc {
namespace {

Failure MakeFailure(grpc::StatusCode code, std::string text, v1::ErrorDetail::Outcome outcome) {
  Failure failure{.code = code, .text = std::move(text), .detail = {}};
  failure.detail.set_outcome(outcome);
  failure.detail.set_safe_to_retry(outcome == v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  return failure;
}

}  // namespace

Failure NotExecuted(grpc::StatusCode code, std::string text) {
  return MakeFailure(code, std::move(text), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
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
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()));
}

void AddErrorDetail(const v1::ErrorDetail& detail, grpc::ServerContext& context) {
  context.AddTrailingMetadata(kErrorDetailKey, detail.SerializeAsString());
}

std::optional<v1::ErrorDetail> ReadErrorDetail(const grpc::ClientContext& context) {
  const auto& trailer = context.GetServerTrailingMetadata();
  const auto found = trailer.find(kErrorDetailKey);
  v1::ErrorDetail detail;
  if (found == trailer.end() ||
      !detail.ParseFromArray(found->second.data(), static_cast<int>(found->second.size()))) {
    return std::nullopt;
  }
  return detail;
}

}  // namespace decree::rpc
