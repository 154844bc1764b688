#pragma once
// A call with one request and one answer: read, handled, answered.

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "rpc/failure.h"
#include "rpc/loop/call.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/server_call.h"

namespace decree::rpc {

template <typename Request, typename Response>
class UnaryCall final : public Call<Request, Response>,
                        public ServerCall::Handler,
                        public std::enable_shared_from_this<UnaryCall<Request, Response>> {
 public:
  using Serve = std::function<void(CallPtr<Request, Response>)>;

  UnaryCall(std::unique_ptr<ServerCall> wire, const Serve& serve) : wire_(std::move(wire)), serve_(serve) {
    this->taker_ = {wire_->connection(), &wire_->connection()->taker()};
  }
  void Begin() {
    wire_->Begin(this->shared_from_this());
    wire_->Read();
  }

  const std::string& caller() const override { return wire_->connection()->address(); }
  Duration TimeLeft(Duration fallback) const override { return wire_->TimeLeft(fallback); }
  void Finish() override {
    Leave(this->response_.ByteSizeLong());
    wire_->WriteAndEnd(this->response_);
    Response().Swap(&this->response_);  // It has been copied out.
  }
  void Fail(const Failure& failure) override {
    Leave(failure.text.size());
    wire_->AddTrailer(kErrorDetailKey, failure.detail.SerializeAsString());
    wire_->End(failure.ToStatus());
  }

 private:
  // What gRPC holds of a call beside its answer.
  static constexpr size_t kCallBytes = 4 << 10;

  void OnMessage() override {
    wire_->SetBusy(true);
    if (!wire_->TakeRequest(this->request_)) {
      return Fail(NotExecuted(grpc::StatusCode::INVALID_ARGUMENT,
                              StrCat("what was sent is no ", this->request_.GetTypeName())));
    }
    serve_(this->shared_from_this());
  }
  void OnHalfClosed() override {
    Fail(NotExecuted(grpc::StatusCode::INVALID_ARGUMENT, StrCat("no ", this->request_.GetTypeName(), " was sent")));
  }
  void OnWritten() override {}
  void OnGone() override {}

  // The answer is on its way, if somebody waits for it; it holds room until the call is gone.
  void Leave(size_t bytes) {
    this->LeavePlace();
    this->Hold(this->TakeRoom(wire_->is_ending() ? 0 : kCallBytes + bytes));
  }

  const std::unique_ptr<ServerCall> wire_;
  const Serve& serve_;
};

// Serves a method from now on. `path` as in `Methods`.
template <typename Request, typename Response>
void OfferUnary(Methods& methods, const std::string& path, typename UnaryCall<Request, Response>::Serve serve) {
  methods.Add(path, [serve = std::move(serve)](std::unique_ptr<ServerCall> wire) {
    std::make_shared<UnaryCall<Request, Response>>(std::move(wire), serve)->Begin();
  });
}

}  // namespace decree::rpc
