#pragma once
// A request that is a call of its own.

#include <memory>

#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/status.h>

#include "rpc/client/method_operation.h"
#include "rpc/loop/event.h"

namespace decree::rpc {

template <typename Method>
class UnaryOperation final : public MethodOperation<Method>, private Event {
 public:
  using MethodOperation<Method>::MethodOperation;

  void Prepare(const v1::RequestHeader& header) override {
    Method::SetHeader(header, this->request_);
    context_ = std::make_unique<grpc::ClientContext>();
  }

  void Send(const EndpointLines& lines, ClientLoop& loop) override {
    const Duration left = this->give_up_at - loop.Now();
    context_->set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                        gpr_time_from_nanos(left.count(), GPR_TIMESPAN)));
    reader_ = Method::Prepare(lines, *context_, this->request_, *loop.queue());
    reader_->StartCall();
    reader_->Finish(&this->response_, &status_, ClientLoop::Tag(*this));
  }

  void Cancel() override { context_->TryCancel(); }
  void Withdraw(const EndpointLines& lines) override {
    // What the channel has no connection for is still here.
    if (lines.channel->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) Cancel();
  }

 private:
  void OnEvent(bool) override { this->EndAttempt(EndOf(status_, *context_)); }

  grpc::Status status_;
  std::unique_ptr<grpc::ClientContext> context_;  // of the latest attempt
  std::unique_ptr<grpc::ClientAsyncResponseReader<typename Method::Response>> reader_;
};

}  // namespace decree::rpc
