#pragma once
// A unary call of a service, carried by the event loop: waited for, handled, answered.
//
// A `UnaryMethod` keeps a number of calls waiting at gRPC, so that a burst of requests need not wait
// for us to ask for each.

#include <functional>
#include <memory>
#include <utility>

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include "rpc/failure.h"
#include "rpc/loop/call.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

// One call. Lives at least until its answer has left.
template <typename Request, typename Response>
class UnaryCall final : public Call<Request, Response> {
 public:
  // Asks gRPC for the next call of a method, as the generated RequestXxx do.
  using Requester = std::function<void(grpc::ServerContext*, Request*,
                                       grpc::ServerAsyncResponseWriter<Response>*,
                                       grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*)>;
  using Handler = std::function<void(CallPtr<Request, Response>)>;

  explicit UnaryCall(EventLoop& loop) : loop_(loop), writer_(&context_) {}

  Duration TimeLeft(Duration fallback) const override {
    const gpr_timespec deadline =
        gpr_convert_clock_type(context_.raw_deadline(), GPR_CLOCK_MONOTONIC);
    if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0) return fallback;
    const gpr_timespec left = gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
    return std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
  }

  void Finish() override {
    this->LeavePlace();
    writer_.Finish(this->response_, grpc::Status::OK, loop_.Tag(finished_));
  }
  void Fail(const Failure& failure) override {
    this->LeavePlace();
    AddErrorDetail(failure.detail, context_);
    writer_.FinishWithError(failure.ToStatus(), loop_.Tag(finished_));
  }

 private:
  template <typename, typename>
  friend class UnaryMethod;

  void OnArrived(bool ok) { on_arrived_(ok); }
  void OnFinished(bool) { self_.reset(); }

  EventLoop& loop_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<Response> writer_;
  std::function<void(bool)> on_arrived_;
  std::shared_ptr<UnaryCall> self_;  // while gRPC may still call back

  MemberEvent<UnaryCall, &UnaryCall::OnArrived> arrived_{this};
  MemberEvent<UnaryCall, &UnaryCall::OnFinished> finished_{this};
};

template <typename Request, typename Response>
class UnaryMethod {
  using OneCall = UnaryCall<Request, Response>;

 public:
  // The method must live until the loop has seen the end of all its calls.
  UnaryMethod(EventLoop& loop, typename OneCall::Requester requester, typename OneCall::Handler handler)
      : loop_(loop), requester_(std::move(requester)), handler_(std::move(handler)) {}

  // Takes calls from now on, up to `count` in one go.
  void Open(int count) {
    for (int i = 0; i < count; ++i) Post();
  }

 private:
  void Post() {
    auto call = std::make_shared<OneCall>(loop_);
    OneCall* const posted = call.get();
    posted->self_ = std::move(call);
    posted->on_arrived_ = [this, posted](bool ok) { OnArrived(ok, *posted); };
    requester_(&posted->context_, &posted->request_, &posted->writer_, loop_.queue(),
               loop_.queue(), loop_.Tag(posted->arrived_));
  }

  void OnArrived(bool ok, OneCall& call) {
    if (!ok) {  // The server is closing.
      call.self_.reset();
      return;
    }
    Post();
    handler_(call.self_);
  }

  EventLoop& loop_;
  const typename OneCall::Requester requester_;
  const typename OneCall::Handler handler_;
};

}  // namespace decree::rpc
