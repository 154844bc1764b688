#pragma once
// The client's requests, method by method: what each is called, how it is sent, and what becomes of its answer. A new
// method is one more struct here, and one call of `ClientCore::Start`.

#include <memory>
#include <type_traits>
#include <utility>

#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/status.h>

#include "decree/v1/admin.grpc.pb.h"
#include "decree/v1/kv.grpc.pb.h"
#include "rpc/client/operation.h"
#include "rpc/client/pipeline.h"
#include "rpc/loop/event.h"
#include "rpc/pipelined_methods.h"

namespace decree::rpc {

// ---- Methods ----

// Types of a method, taken from how its stub begins a call.
template <auto kPrepareCall>
struct Method;
template <typename Stub, typename RequestType, typename ResponseType,
          std::unique_ptr<grpc::ClientAsyncResponseReader<ResponseType>> (Stub::*kPrepareCall)(
              grpc::ClientContext*, const RequestType&, grpc::CompletionQueue*)>
struct Method<kPrepareCall> {
  using Request = RequestType;
  using Response = ResponseType;
  static auto Prepare(const EndpointLines& lines, grpc::ClientContext& context, const Request& request,
                      grpc::CompletionQueue& queue) {
    if constexpr (std::is_same_v<Stub, v1::KV::Stub>) return (*lines.kv.*kPrepareCall)(&context, request, &queue);
    if constexpr (std::is_same_v<Stub, v1::Admin::Stub>) return (*lines.admin.*kPrepareCall)(&context, request, &queue);
  }
};

struct PutMethod : Method<&v1::KV::Stub::PrepareAsyncPut> {
  static constexpr char kName[] = "put";
};
struct DeleteMethod : Method<&v1::KV::Stub::PrepareAsyncDelete> {
  static constexpr char kName[] = "delete";
};
struct SwapMethod : Method<&v1::KV::Stub::PrepareAsyncCompareAndSwap> {
  static constexpr char kName[] = "compare-and-swap";
};
struct GetMethod : Method<&v1::KV::Stub::PrepareAsyncGet> {
  static constexpr char kName[] = "get";
};
struct RangeMethod : Method<&v1::KV::Stub::PrepareAsyncRange> {
  static constexpr char kName[] = "range";
};
struct OpenSessionMethod : Method<&v1::KV::Stub::PrepareAsyncOpenSession> {
  static constexpr char kName[] = "open a session";
};
struct CloseSessionMethod : Method<&v1::KV::Stub::PrepareAsyncCloseSession> {
  static constexpr char kName[] = "close a session";
};
struct OutcomeMethod : Method<&v1::KV::Stub::PrepareAsyncOutcome> {
  static constexpr char kName[] = "outcome";
};
struct TransferMethod : Method<&v1::Admin::Stub::PrepareAsyncTransferLeadership> {
  static constexpr char kName[] = "leader transfer";
};
struct NodeStatusMethod : Method<&v1::Admin::Stub::PrepareAsyncNodeStatus> {
  static constexpr char kName[] = "status";
};

// Fills in what the request has fields for.
template <typename Request>
void SetHeader(const v1::RequestHeader& header, Request& request) {
  if constexpr (std::is_same_v<Request, v1::OutcomeRequest>) {
    // Session and number are those of the request in question.
    request.mutable_header()->set_no_forwarding(header.no_forwarding());
  } else if constexpr (requires { request.mutable_header(); }) {
    *request.mutable_header() = header;
  } else if constexpr (requires { request.set_no_forwarding(true); }) {
    request.set_no_forwarding(header.no_forwarding());
  }
}

// ---- Operations ----

// What the requests of one method share, however they travel.
template <typename Method>
class MethodOperation : public Operation {
 public:
  using Request = typename Method::Request;
  using Response = typename Method::Response;

  MethodOperation(Kind operation_kind, Request request, OnAttemptEnded on_attempt_ended,
                  Client::Callback<Response> done)
      : Operation(operation_kind, Method::kName, request.ByteSizeLong()),
        request_(std::move(request)),
        on_attempt_ended_(std::move(on_attempt_ended)),
        done_(std::move(done)) {}

  void End(const Status& status) override {
    if (!status.ok()) return done_(status);
    done_(std::move(response_));
  }

 protected:
  void EndAttempt(AttemptEnd attempt_end) {
    end = std::move(attempt_end);
    on_attempt_ended_(*this);
  }

  Request request_;
  Response response_;

 private:
  const OnAttemptEnded on_attempt_ended_;
  const Client::Callback<Response> done_;
};

// A request that is a call of its own.
template <typename Method>
class UnaryOperation final : public MethodOperation<Method>, private Event {
 public:
  using MethodOperation<Method>::MethodOperation;

  void Prepare(const v1::RequestHeader& header) override {
    SetHeader(header, this->request_);
    context_ = std::make_unique<grpc::ClientContext>();
  }

  void Send(const EndpointLines& lines, ClientLoop& loop) override {
    const Duration left = this->give_up_at - loop.Now();
    context_->set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left.count(), GPR_TIMESPAN)));
    reader_ = Method::Prepare(lines, *context_, this->request_, *loop.queue());
    reader_->StartCall();
    reader_->Finish(&this->response_, &status_, ClientLoop::Tag(*this));
  }

  void Cancel() override { context_->TryCancel(); }
  void Withdraw(const EndpointLines& lines) override {
    // A call for which the channel has no connection is still here.
    if (lines.channel->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) Cancel();
  }

 private:
  void OnEvent(bool) override { this->EndAttempt(EndOf(status_, *context_)); }

  grpc::Status status_;
  std::unique_ptr<grpc::ClientContext> context_;  // of the latest attempt
  std::unique_ptr<grpc::ClientAsyncResponseReader<typename Method::Response>> reader_;
};

// A request that goes by its endpoint's pipeline.
template <typename Method>
class PipelinedOperation final : public MethodOperation<Method>, private Pipeline::Request {
 public:
  using MethodOperation<Method>::MethodOperation;

  void Prepare(const v1::RequestHeader& header) override { SetHeader(header, this->request_); }

  void Send(const EndpointLines& lines, ClientLoop& loop) override {
    // The loop's own thread sends more before it is done with what it has taken in.
    if (loop.IsOwnThread()) return lines.pipeline->SendLater(*this, this->give_up_at);
    lines.pipeline->Send(*this, this->give_up_at);
  }

  void Cancel() override {}
  void Withdraw(const EndpointLines& lines) override { lines.pipeline->Withdraw(*this); }

 private:
  using Fields = PipelinedMethodOf<typename Method::Request>;

  void Fill(v1::PipelinedRequest& wire) override { Fields::In(wire) = this->request_; }

  void OnAnswer(v1::PipelinedResponse& answer) override {
    if (!Fields::IsIn(answer)) {
      return this->EndAttempt({.status = {grpc::StatusCode::INTERNAL, "the node's answer is of another kind"},
                               .detail = {},
                               .was_sent = true});
    }
    this->response_.Swap(&Fields::In(answer));
    this->EndAttempt({});
  }

  void OnFailure(AttemptEnd end) override { this->EndAttempt(std::move(end)); }
};

}  // namespace decree::rpc
