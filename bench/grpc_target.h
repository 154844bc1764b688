#pragma once
// What all targets share: connections as our client library makes them, and one completion queue.

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/status.h>

#include "bench/target.h"
#include "paxos/base/posix_clock.h"
#include "rpc/loop/event.h"

namespace decree::bench {

class GrpcTarget : public Target {
 public:
  explicit GrpcTarget(const TargetOptions& options);
  // Waits for the calls under way, whose waiters hear no more.
  ~GrpcTarget() override;

  Status Connect(Duration timeout) override;
  void Poll(Time until) override;

 protected:
  // A call on its way; deletes itself once its end has been handled.
  class Call : public rpc::Event {
   public:
    virtual ~Call() = default;

    grpc::ClientContext context;
    grpc::Status status;
  };

  // A call of one method; `then` is told of its end, with the call itself.
  template <typename Response, typename Then>
  class MethodCall final : public Call {
   public:
    MethodCall(const GrpcTarget& target, Then then) : target_(target), then_(std::move(then)) {}
    void OnEvent(bool) override {
      const std::unique_ptr<MethodCall> owner(this);
      if (!target_.is_closing_) then_(*this);
    }

    Response response;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;

   private:
    const GrpcTarget& target_;
    Then then_;
  };

  // `method` is a stub's PrepareAsync…, `stub` the stub of the channel to use.
  template <typename Response, typename Stub, typename Method, typename Request, typename Then>
  void StartCall(Stub& stub, Method method, const Request& request, Then then) {
    auto* const call = new MethodCall<Response, Then>(*this, std::move(then));
    LimitTime(call->context, options_.timeout);
    call->reader = (stub.*method)(&call->context, request, &queue_);
    call->reader->StartCall();
    call->reader->Finish(&call->response, &call->status, static_cast<rpc::Event*>(call));
  }

  // One stub for each channel.
  template <typename Service>
  auto MakeStubs() const {
    std::vector<std::unique_ptr<typename Service::Stub>> stubs;
    for (const auto& channel : channels_) stubs.push_back(Service::NewStub(channel));
    return stubs;
  }

  // Sends what requests have gathered; before each `Poll` waits.
  virtual void Flush() {}
  // From now on the ends of requests are told to nobody.
  void Close() { is_closing_ = true; }
  bool is_closing() const { return is_closing_; }

  const std::vector<std::shared_ptr<grpc::Channel>>& channels() const { return channels_; }
  grpc::CompletionQueue& queue() { return queue_; }
  const TargetOptions& options() const { return options_; }
  const Clock& clock() const { return clock_; }
  size_t endpoints() const { return options_.endpoints.size(); }
  // The number of a channel: of an endpoint its channels in turn, or of the endpoints in turn.
  size_t ChannelTo(size_t endpoint) { return endpoint * options_.channels + next_channel_++ % options_.channels; }
  size_t AnyChannel() { return ChannelTo(next_endpoint_++ % endpoints()); }

  static void LimitTime(grpc::ClientContext& context, Duration timeout);
  // The two kinds of status share their codes.
  static Status ToStatus(const grpc::Status& status) {
    return Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }

 private:
  const TargetOptions options_;
  const PosixClock clock_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;  // of all endpoints, one endpoint's after the other's
  size_t next_channel_ = 0;
  size_t next_endpoint_ = 0;
  bool is_closing_ = false;
  grpc::CompletionQueue queue_;
};

}  // namespace decree::bench
