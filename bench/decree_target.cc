// Decree under load, by its own service and without the client library: what a call costs, and nothing more.

#include "bench/store_target.h"
#include "decree/v1/admin.grpc.pb.h"
#include "decree/v1/kv.grpc.pb.h"
#include "rpc/status.h"

namespace decree::bench {
namespace {

using Stub = v1::KV::Stub;

class DecreeTarget final : public StoreTarget {
 public:
  explicit DecreeTarget(const TargetOptions& options)
      : StoreTarget(options), kv_(MakeStubs<v1::KV>()), admin_(MakeStubs<v1::Admin>()) {}

 private:
  void StartPut(const Request& request, Waiter& waiter) override {
    v1::PutRequest put;
    put.mutable_header()->set_no_forwarding(true);
    put.set_key(request.key);
    put.set_value(request.value.data(), request.value.size());
    Ask<v1::PutResponse>(kv_, request.kind, &Stub::PrepareAsyncPut, put, waiter,
                         [](const v1::PutResponse& response, Reply& reply) {
                           reply.revision = response.header().revision();
                         });
  }

  void StartGet(const Request& request, Waiter& waiter) override {
    v1::GetRequest get;
    get.set_key(request.key);
    get.set_no_forwarding(true);
    get.set_read(request.kind == Kind::kStaleGet ? v1::READ_MODE_STALE : v1::READ_MODE_LINEARIZABLE);
    Ask<v1::GetResponse>(kv_, request.kind, &Stub::PrepareAsyncGet, get, waiter,
                         [](const v1::GetResponse& response, Reply& reply) {
                           reply.found = response.found();
                           reply.revision = response.kv().mod_revision();
                         });
  }

  void StartSwap(const Request& request, Waiter& waiter) override {
    v1::CompareAndSwapRequest swap;
    swap.mutable_header()->set_no_forwarding(true);
    swap.set_key(request.key);
    swap.set_value(request.value.data(), request.value.size());
    if (request.expected_revision == 0) {
      swap.set_expected_absent(true);
    } else {
      swap.set_expected_mod_revision(request.expected_revision);
    }
    Ask<v1::CompareAndSwapResponse>(kv_, request.kind, &Stub::PrepareAsyncCompareAndSwap, swap, waiter,
                                    [](const v1::CompareAndSwapResponse& response, Reply& reply) {
                                      reply.swapped = response.swapped();
                                      reply.revision = reply.swapped
                                                           ? response.header().revision()
                                                           : response.current().mod_revision();
                                    });
  }

  StatusOr<bool> Leads(size_t endpoint, Duration timeout) override {
    grpc::ClientContext context;
    LimitTime(context, timeout);
    v1::StatusResponse status;
    RETURN_IF_ERROR(
        ToStatus(admin_[ChannelTo(endpoint)]->Status(&context, v1::StatusRequest(), &status)));
    return status.role() == "leader";
  }

  std::string LeaderNamedBy(const Call& call) const override {
    const auto detail = rpc::ReadErrorDetail(call.context);
    return detail ? detail->leader_address() : "";
  }

  const std::vector<std::unique_ptr<Stub>> kv_;
  const std::vector<std::unique_ptr<v1::Admin::Stub>> admin_;
};

}  // namespace

std::unique_ptr<Target> MakeDecreeTarget(const TargetOptions& options) {
  return std::make_unique<DecreeTarget>(options);
}

}  // namespace decree::bench
