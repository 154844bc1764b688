// Decree under load, by its own service and without the client library's retries: pipelines as that uses
// them, or a call for each request.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/store_target.h"
#include "decree/v1/admin.grpc.pb.h"
#include "decree/v1/kv.grpc.pb.h"
#include "rpc/client/pipeline.h"
#include "rpc/failure.h"

namespace decree::bench {
namespace {

using Stub = v1::KV::Stub;

constexpr Duration kClosePoll = Milliseconds(100);

void FillReply(const v1::PutResponse& response, Reply& reply) { reply.revision = response.header().revision(); }
void FillReply(const v1::GetResponse& response, Reply& reply) {
  reply.found = response.found();
  reply.revision = response.kv().mod_revision();
}
void FillReply(const v1::CompareAndSwapResponse& response, Reply& reply) {
  if (response.current_omitted())
    reply.status = absl::ResourceExhaustedError("the answer does not tell the key's value");
  reply.swapped = response.swapped();
  reply.revision = reply.swapped ? response.header().revision() : response.current().mod_revision();
}
void FillReply(const v1::PipelinedResponse& response, Reply& reply) {
  switch (response.response_case()) {
    case v1::PipelinedResponse::kPut:
      return FillReply(response.put(), reply);
    case v1::PipelinedResponse::kGet:
      return FillReply(response.get(), reply);
    case v1::PipelinedResponse::kCompareAndSwap:
      return FillReply(response.compare_and_swap(), reply);
    default:
      reply.status = absl::InternalError("the answer to a request of another kind");
  }
}

class DecreeTarget final : public StoreTarget {
 public:
  explicit DecreeTarget(const TargetOptions& options)
      : StoreTarget(options), kv_(MakeStubs<v1::KV>()), admin_(MakeStubs<v1::Admin>()) {
    for (const auto& channel : channels()) {
      pipelines_.push_back(std::make_unique<rpc::Pipeline>(v1::KV::NewStub(channel), queue(), clock(),
                                                           [this](Time when) { expires_.push_back(when); }));
    }
  }

  ~DecreeTarget() override {
    Close();
    for (const auto& pipeline : pipelines_) pipeline->Close();
    for (const auto& pipeline : pipelines_) {
      while (!pipeline->is_closed()) Poll(clock().Now() + kClosePoll);
    }
  }

 private:
  class Pipelined;

  void StartPut(const Request& request, Waiter& waiter) override {
    v1::PipelinedRequest wire;
    v1::PutRequest& put = *wire.mutable_put();
    put.mutable_header()->set_no_forwarding(true);
    put.set_key(request.key);
    put.set_value(request.value.data(), request.value.size());
    Send(request.kind, std::move(wire), waiter);
  }

  void StartGet(const Request& request, Waiter& waiter) override {
    v1::PipelinedRequest wire;
    v1::GetRequest& get = *wire.mutable_get();
    get.set_key(request.key);
    get.set_no_forwarding(true);
    get.set_read(request.kind == Kind::kStaleGet ? v1::READ_MODE_STALE : v1::READ_MODE_LINEARIZABLE);
    Send(request.kind, std::move(wire), waiter);
  }

  void StartSwap(const Request& request, Waiter& waiter) override {
    v1::PipelinedRequest wire;
    v1::CompareAndSwapRequest& swap = *wire.mutable_compare_and_swap();
    swap.mutable_header()->set_no_forwarding(true);
    swap.set_key(request.key);
    swap.set_value(request.value.data(), request.value.size());
    if (request.expected_revision == 0) {
      swap.set_expected_absent(true);
    } else {
      swap.set_expected_mod_revision(request.expected_revision);
    }
    Send(request.kind, std::move(wire), waiter);
  }

  void Send(Kind kind, v1::PipelinedRequest wire, Waiter& waiter);
  void CallUnary(Kind kind, const v1::PipelinedRequest& wire, Waiter& waiter) {
    switch (wire.request_case()) {
      case v1::PipelinedRequest::kPut:
        return Ask<v1::PutResponse>(kv_, kind, &Stub::PrepareAsyncPut, wire.put(), waiter,
                                    [](const auto& response, Reply& reply) { FillReply(response, reply); });
      case v1::PipelinedRequest::kGet:
        return Ask<v1::GetResponse>(kv_, kind, &Stub::PrepareAsyncGet, wire.get(), waiter,
                                    [](const auto& response, Reply& reply) { FillReply(response, reply); });
      default:
        return Ask<v1::CompareAndSwapResponse>(kv_, kind, &Stub::PrepareAsyncCompareAndSwap, wire.compare_and_swap(),
                                               waiter,
                                               [](const auto& response, Reply& reply) { FillReply(response, reply); });
    }
  }

  void Flush() override {
    const bool any_due =
        std::any_of(expires_.begin(), expires_.end(), [now = clock().Now()](Time when) { return when <= now; });
    if (any_due) expires_.clear();
    for (const auto& pipeline : pipelines_) {
      if (any_due) pipeline->Expire();
      pipeline->Flush();
    }
  }

  StatusOr<bool> Leads(size_t endpoint, Duration timeout) override {
    grpc::ClientContext context;
    LimitTime(context, timeout);
    v1::NodeStatusResponse status;
    RETURN_IF_ERROR(ToStatus(admin_[ChannelTo(endpoint)]->NodeStatus(&context, v1::NodeStatusRequest(), &status)));
    return status.role() == "leader";
  }

  std::string LeaderNamedBy(const Call& call) const override {
    const auto detail = rpc::ReadErrorDetail(call.context);
    return detail ? detail->leader_address() : "";
  }

  const std::vector<std::unique_ptr<Stub>> kv_;
  const std::vector<std::unique_ptr<v1::Admin::Stub>> admin_;
  std::vector<std::unique_ptr<rpc::Pipeline>> pipelines_;  // one for each channel
  std::vector<Time> expires_;                              // when pipelines want to be asked what has expired
};

// A request in a pipeline; deletes itself once its end has been told.
class DecreeTarget::Pipelined final : public rpc::Pipeline::Request {
 public:
  Pipelined(DecreeTarget& target, bool is_led, v1::PipelinedRequest wire, Waiter& waiter)
      : target_(target), is_led_(is_led), asked_(target.leader()), wire_(std::move(wire)), waiter_(waiter) {}

 private:
  void Fill(v1::PipelinedRequest& wire) override {
    wire_.set_id(wire.id());
    wire_.set_time_left_us(wire.time_left_us());
    wire.Swap(&wire_);
  }

  void OnAnswer(v1::PipelinedResponse& answer) override {
    Reply reply;
    FillReply(answer, reply);
    End(reply);
  }

  void OnFailure(rpc::AttemptEnd end) override {
    const Reply reply{.status = ToStatus(end.status)};
    if (is_led_) {
      target_.OnLeaderFailed(reply.status, end.detail ? end.detail->leader_address() : "", asked_);
    }
    End(reply);
  }

  void End(const Reply& reply) {
    const std::unique_ptr<Pipelined> owner(this);
    if (!target_.is_closing()) waiter_.OnReply(reply);
  }

  DecreeTarget& target_;
  const bool is_led_;
  const size_t asked_;
  v1::PipelinedRequest wire_;
  Waiter& waiter_;
};

void DecreeTarget::Send(Kind kind, v1::PipelinedRequest wire, Waiter& waiter) {
  if (options().unary) return CallUnary(kind, wire, waiter);
  const bool is_led = kind != Kind::kStaleGet;
  rpc::Pipeline& pipeline = *pipelines_[is_led ? ChannelTo(leader()) : AnyChannel()];
  pipeline.SendLater(*new Pipelined(*this, is_led, std::move(wire), waiter), clock().Now() + options().timeout);
}

}  // namespace

std::unique_ptr<Target> MakeDecreeTarget(const TargetOptions& options) {
  return std::make_unique<DecreeTarget>(options);
}

}  // namespace decree::bench
