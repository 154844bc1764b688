#pragma once
// A request that is a call of its own.

#include <functional>
#include <memory>
#include <utility>

#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/status.h>

#include "rpc/client/operation.h"
#include "rpc/event.h"

namespace decree::rpc {

template <typename Method>
class UnaryOperation final : public Operation, private Event {
 public:
  using Request = typename Method::Request;
  using Response = typename Method::Response;

  UnaryOperation(Kind operation_kind, Request request, OnAttemptEnded on_attempt_ended,
                 Client::Callback<Response> done)
      : Operation(operation_kind, Method::kName, request.ByteSizeLong()),
        request_(std::move(request)),
        on_attempt_ended_(std::move(on_attempt_ended)),
        done_(std::move(done)) {}

  void Prepare(const v1::RequestHeader& header) override {
    Method::SetHeader(header, request_);
    context_ = std::make_unique<grpc::ClientContext>();
  }

  void Send(const EndpointLines& lines, ClientLoop& loop) override {
    const Duration left = give_up_at - loop.Now();
    context_->set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                        gpr_time_from_nanos(left.count(), GPR_TIMESPAN)));
    reader_ = Method::Prepare(lines, *context_, request_, *loop.queue());
    reader_->StartCall();
    reader_->Finish(&response_, &status_, ClientLoop::Tag(*this));
  }

  void Cancel() override { context_->TryCancel(); }

  void End(const Status& status) override {
    if (!status.ok()) return done_(status);
    done_(std::move(response_));
  }

 private:
  void OnEvent(bool) override {
    end = EndOf(status_, *context_);
    on_attempt_ended_(*this);
  }

  Request request_;
  const OnAttemptEnded on_attempt_ended_;
  const Client::Callback<Response> done_;
  Response response_;
  grpc::Status status_;
  std::unique_ptr<grpc::ClientContext> context_;  // of the latest attempt
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
};

}  // namespace decree::rpc
