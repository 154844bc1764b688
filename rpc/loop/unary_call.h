#pragma once
// A call with one request and one answer: read, handled, answered.

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "rpc/failure.h"
#include "rpc/loop/call.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/request_bytes.h"
#include "rpc/loop/unary_reading.h"

namespace decree::rpc {

template <typename Request, typename Response>
class UnaryCall final : public Call<Request, Response>, public UnaryReading {
 public:
  using Serve = std::function<void(CallPtr<Request, Response>)>;

  UnaryCall(std::unique_ptr<ServerCall> wire, Admission* admission, const Serve& serve)
      : UnaryReading(std::move(wire), admission), serve_(serve) {
    const std::shared_ptr<Callers::Connection>& connection = this->wire().connection();
    this->taker_ = {connection, &connection->answers()};
  }

  const std::string& caller() const override { return wire().connection()->address(); }
  Duration TimeLeft(Duration fallback) const override { return wire().TimeLeft(fallback); }
  void Finish() override {
    Leave(this->response_.ByteSizeLong());
    wire().WriteAndEnd(this->response_);
    Response().Swap(&this->response_);  // It was copied out.
  }
  void Fail(const Failure& failure) override {
    Leave(failure.text.size());
    wire().Fail(failure);
  }

 private:
  // The bytes that gRPC holds of a call beside its answer.
  static constexpr size_t kCallBytes = 4 << 10;

  void OnRequest(Admission::Place place) override {
    this->Enter(std::move(place));
    if (!wire().TakeRequest(this->request_, request_bytes_max())) {
      return Fail(
          NotExecuted(grpc::StatusCode::INVALID_ARGUMENT, UnreadableRequest(RequestName(), request_bytes_max())));
    }
    serve_(std::static_pointer_cast<UnaryCall>(this->shared_from_this()));
  }
  void Refuse(const Failure& failure) override { Fail(failure); }
  std::string RequestName() const override { return Request::descriptor()->full_name(); }

  // Sends the answer, if somebody waits for it. It holds room until the call is gone.
  void Leave(size_t bytes) {
    this->LeavePlace();
    this->Hold(this->TakeRoom(wire().is_ending() ? 0 : kCallBytes + bytes));
  }

  const Serve& serve_;
};

// Begins to serve a method. `path` is as in `Methods`. If each request needs a place, `admission` gives it, and
// outlives the method.
template <typename Request, typename Response>
void OfferUnary(Methods& methods, const std::string& path, Admission* admission,
                typename UnaryCall<Request, Response>::Serve serve) {
  methods.Add(path, [admission, serve = std::move(serve)](std::unique_ptr<ServerCall> wire) {
    std::make_shared<UnaryCall<Request, Response>>(std::move(wire), admission, serve)->Begin();
  });
}

}  // namespace decree::rpc
