#pragma once
// A request that goes by its endpoint's pipeline.

#include <utility>

#include "rpc/client/method_operation.h"
#include "rpc/client/pipeline.h"

namespace decree::rpc {

template <typename Method>
class PipelinedOperation final : public MethodOperation<Method>, private Pipeline::Request {
 public:
  using MethodOperation<Method>::MethodOperation;

  void Prepare(const v1::RequestHeader& header) override {
    Method::SetHeader(header, this->request_);
  }

  void Send(const EndpointLines& lines, ClientLoop& loop) override {
    // What the loop's own thread sends is followed by more, before it is done with what it has taken in.
    if (loop.IsOwnThread()) return lines.pipeline->SendLater(*this, this->give_up_at);
    lines.pipeline->Send(*this, this->give_up_at);
  }

  void Cancel() override {}
  void Withdraw(const EndpointLines& lines) override { lines.pipeline->Withdraw(*this); }

 private:
  void Fill(v1::PipelinedRequest& wire) override { Method::In(wire) = this->request_; }

  void OnAnswer(v1::PipelinedResponse& answer) override {
    if (answer.response_case() != Method::kAnswerCase) {
      return this->EndAttempt({.status = {grpc::StatusCode::INTERNAL, "the node's answer is of another kind"},
                               .detail = {},
                               .was_sent = true});
    }
    this->response_.Swap(&Method::In(answer));
    this->EndAttempt({});
  }

  void OnFailure(AttemptEnd end) override { this->EndAttempt(std::move(end)); }
};

}  // namespace decree::rpc
