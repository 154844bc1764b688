#pragma once
// What the targets share that speak gRPC: connections, one completion queue, and which endpoint leads.

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/status.h>

#include "bench/target.h"
#include "paxos/base/posix_clock.h"

namespace decree::bench {

class GrpcTarget : public Target {
 public:
  explicit GrpcTarget(const TargetOptions& options);
  // Cancels what is under way; its waiters hear no more.
  ~GrpcTarget() override;

  Status Connect(Duration timeout) override;
  void Poll(Time until) override;

 protected:
  // A call on its way; deleted once its end has been handled.
  class Call {
   public:
    virtual ~Call() = default;
    virtual void OnEnd() = 0;

    grpc::ClientContext context;
    grpc::Status status;
  };

  // A call of one method; `then` is told of its end, with the call itself.
  template <typename Response, typename Then>
  class MethodCall final : public Call {
   public:
    explicit MethodCall(Then then) : then_(std::move(then)) {}
    void OnEnd() override { then_(*this); }

    Response response;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;

   private:
    Then then_;
  };

  // `method` is a stub's PrepareAsync…, `stub` the stub of the channel to use.
  template <typename Response, typename Stub, typename Method, typename Request, typename Then>
  void StartCall(Stub& stub, Method method, const Request& request, Then then) {
    auto* const call = new MethodCall<Response, Then>(std::move(then));
    Enter(*call);
    call->reader = (stub.*method)(&call->context, request, &queue_);
    call->reader->StartCall();
    call->reader->Finish(&call->response, &call->status, static_cast<Call*>(call));
  }

  // One stub for each channel.
  template <typename Service>
  auto MakeStubs() const {
    std::vector<std::unique_ptr<typename Service::Stub>> stubs;
    for (const auto& channel : channels_) stubs.push_back(Service::NewStub(channel));
    return stubs;
  }

  size_t endpoints() const { return options_.endpoints.size(); }
  const std::string& address(size_t endpoint) const { return options_.endpoints[endpoint]; }
  // The number of a channel to the endpoint that leads, or to whichever is next.
  size_t LeaderChannel() { return NextChannel(leader_); }
  size_t AnyChannel() { return NextChannel(next_endpoint_++ % endpoints()); }

  size_t leader() const { return leader_; }
  void set_leader(size_t endpoint) { leader_ = endpoint; }
  // Another endpoint is tried if the one that failed is still believed to lead.
  void GiveUpLeader(size_t failed) {
    if (failed == leader_) leader_ = (leader_ + 1) % endpoints();
  }
  // For FindLeader's calls: one of an endpoint's stubs, and a deadline.
  template <typename Stubs>
  auto& StubOf(const Stubs& stubs, size_t endpoint) const {
    return *stubs[endpoint * options_.channels];
  }
  void LimitTime(grpc::ClientContext& context) const;

  // The two kinds of status share their codes.
  static Status ToStatus(const grpc::Status& status) {
    return Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }

  // Asks around who leads; kUnavailable if nobody does.
  virtual StatusOr<size_t> FindLeader() = 0;

 private:
  void Enter(Call& call);
  // Of an endpoint, its channels in turn.
  size_t NextChannel(size_t endpoint);

  const TargetOptions options_;
  const PosixClock clock_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;  // of all endpoints, one endpoint's after the other's
  size_t next_channel_ = 0;
  size_t next_endpoint_ = 0;
  size_t leader_ = 0;

  grpc::CompletionQueue queue_;
  std::unordered_set<Call*> under_way_;
};

}  // namespace decree::bench
