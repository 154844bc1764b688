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
#include "rpc/loop/callers.h"
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

  explicit UnaryCall(Callers& callers) : callers_(callers), writer_(&context_) {}

  const std::string& caller() const override { return connection_->address(); }
  Duration TimeLeft(Duration fallback) const override {
    const gpr_timespec deadline =
        gpr_convert_clock_type(context_.raw_deadline(), GPR_CLOCK_MONOTONIC);
    if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0) return fallback;
    const gpr_timespec left = gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
    return std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
  }

  void Finish() override {
    void* const tag = BeginLeaving(this->response_.ByteSizeLong());
    writer_.Finish(this->response_, grpc::Status::OK, tag);
    Response().Swap(&this->response_);  // It has been copied out.
  }
  void Fail(const Failure& failure) override {
    AddErrorDetail(failure.detail, context_);
    writer_.FinishWithError(failure.ToStatus(), BeginLeaving(failure.text.size()));
  }

 private:
  template <typename, typename>
  friend class UnaryMethod;

  // What gRPC holds of a call beside its answer.
  static constexpr size_t kCallBytes = 4 << 10;

  void OnArrived(bool ok) { on_arrived_(ok); }
  void* BeginLeaving(size_t bytes) {
    this->LeavePlace();
    this->Hold(this->TakeRoom(kCallBytes + bytes));
    return callers_.loop().Tag(finished_);
  }
  void OnFinished(bool) {
    connection_->OnAnswered();
    self_.reset();
  }

  Callers& callers_;
  std::shared_ptr<Callers::Connection> connection_;  // once it has arrived
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
  UnaryMethod(Callers& callers, typename OneCall::Requester requester, typename OneCall::Handler handler)
      : callers_(callers), requester_(std::move(requester)), handler_(std::move(handler)) {}

  // Takes calls from now on, up to `count` in one go.
  void Open(int count) {
    for (int i = 0; i < count; ++i) Post();
  }

 private:
  void Post() {
    auto call = std::make_shared<OneCall>(callers_);
    OneCall* const posted = call.get();
    posted->self_ = std::move(call);
    posted->on_arrived_ = [this, posted](bool ok) { OnArrived(ok, *posted); };
    EventLoop& loop = callers_.loop();
    requester_(&posted->context_, &posted->request_, &posted->writer_, loop.queue(), loop.queue(),
               loop.Tag(posted->arrived_));
  }

  void OnArrived(bool ok, OneCall& call) {
    if (!ok) {  // The server is closing.
      call.self_.reset();
      return;
    }
    call.connection_ = callers_.Find(call.context_.peer());
    call.connection_->OnRequest();
    call.taker_ = {call.connection_, &call.connection_->taker()};
    Post();
    handler_(call.self_);
  }

  Callers& callers_;
  const typename OneCall::Requester requester_;
  const typename OneCall::Handler handler_;
};

}  // namespace decree::rpc
