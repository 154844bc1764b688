#pragma once
// A request that goes by its endpoint's pipeline.

#include <utility>

#include "rpc/client/operation.h"
#include "rpc/client/pipeline.h"

namespace decree::rpc {

template <typename Method>
class PipelinedOperation final : public Operation, private Pipeline::Request {
 public:
  using Request = typename Method::Request;
  using Response = typename Method::Response;

  PipelinedOperation(Kind operation_kind, Request request, OnAttemptEnded on_attempt_ended,
                     Client::Callback<Response> done)
      : Operation(operation_kind, Method::kName, request.ByteSizeLong()),
        request_(std::move(request)),
        on_attempt_ended_(std::move(on_attempt_ended)),
        done_(std::move(done)) {}

  void Prepare(const v1::RequestHeader& header) override { Method::SetHeader(header, request_); }

  void Send(const EndpointLines& lines, ClientLoop& loop) override {
    // What the loop's own thread sends is followed by more, before it is done with what it has taken in.
    if (loop.IsOwnThread()) return lines.pipeline->SendLater(*this, give_up_at);
    lines.pipeline->Send(*this, give_up_at);
  }

  void Cancel() override {}

  void End(const Status& status) override {
    if (!status.ok()) return done_(status);
    done_(std::move(response_));
  }

 private:
  void Fill(v1::PipelinedRequest& wire) override { Method::In(wire) = request_; }

  void OnAnswer(v1::PipelinedResponse& answer) override {
    response_.Swap(&Method::In(answer));
    end = {};
    on_attempt_ended_(*this);
  }

  void OnFailure(AttemptEnd failure) override {
    end = std::move(failure);
    on_attempt_ended_(*this);
  }

  Request request_;
  const OnAttemptEnded on_attempt_ended_;
  const Client::Callback<Response> done_;
  Response response_;
};

}  // namespace decree::rpc
