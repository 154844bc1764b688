// etcd under the same load, by its v3 interface.

#include "bench/store_target.h"
#include "etcd/rpc.grpc.pb.h"

namespace decree::bench {
namespace {

using etcdserverpb::Maintenance;
using Stub = etcdserverpb::KV::Stub;

uint64_t RevisionOf(const etcdserverpb::ResponseHeader& header) { return static_cast<uint64_t>(header.revision()); }

void NoteFound(const etcdserverpb::RangeResponse& range, Reply& reply) {
  reply.found = range.kvs_size() == 1;
  if (reply.found) reply.revision = static_cast<uint64_t>(range.kvs(0).mod_revision());
}

class EtcdTarget final : public StoreTarget {
 public:
  explicit EtcdTarget(const TargetOptions& options)
      : StoreTarget(options), kv_(MakeStubs<etcdserverpb::KV>()), maintenance_(MakeStubs<Maintenance>()) {}

 private:
  void StartPut(const Request& request, Waiter& waiter) override {
    etcdserverpb::PutRequest put;
    put.set_key(request.key);
    put.set_value(request.value.data(), request.value.size());
    Ask<etcdserverpb::PutResponse>(kv_, request.kind, &Stub::PrepareAsyncPut, put, waiter,
                                   [](const etcdserverpb::PutResponse& response, Reply& reply) {
                                     reply.revision = RevisionOf(response.header());
                                   });
  }

  void StartGet(const Request& request, Waiter& waiter) override {
    etcdserverpb::RangeRequest range;
    range.set_key(request.key);
    range.set_serializable(request.kind == Kind::kStaleGet);
    Ask<etcdserverpb::RangeResponse>(kv_, request.kind, &Stub::PrepareAsyncRange, range, waiter, NoteFound);
  }

  // If the key's last change is as expected, puts it; reads it otherwise.
  void StartSwap(const Request& request, Waiter& waiter) override {
    etcdserverpb::TxnRequest txn;
    etcdserverpb::Compare& compare = *txn.add_compare();
    compare.set_result(etcdserverpb::Compare::EQUAL);
    compare.set_target(etcdserverpb::Compare::MOD);
    compare.set_key(request.key);
    compare.set_mod_revision(static_cast<int64_t>(request.expected_revision));
    etcdserverpb::PutRequest& put = *txn.add_success()->mutable_request_put();
    put.set_key(request.key);
    put.set_value(request.value.data(), request.value.size());
    txn.add_failure()->mutable_request_range()->set_key(request.key);
    Ask<etcdserverpb::TxnResponse>(kv_, request.kind, &Stub::PrepareAsyncTxn, txn, waiter,
                                   [](const etcdserverpb::TxnResponse& response, Reply& reply) {
                                     reply.swapped = response.succeeded();
                                     if (reply.swapped) {
                                       reply.revision = RevisionOf(response.header());
                                     } else if (response.responses_size() == 1) {
                                       NoteFound(response.responses(0).response_range(), reply);
                                     }
                                   });
  }

  StatusOr<bool> Leads(size_t endpoint, Duration timeout) override {
    grpc::ClientContext context;
    LimitTime(context, timeout);
    etcdserverpb::StatusResponse status;
    RETURN_IF_ERROR(
        ToStatus(maintenance_[ChannelTo(endpoint)]->Status(&context, etcdserverpb::StatusRequest(), &status)));
    return status.leader() == status.header().member_id();
  }

  const std::vector<std::unique_ptr<Stub>> kv_;
  const std::vector<std::unique_ptr<Maintenance::Stub>> maintenance_;
};

}  // namespace

std::unique_ptr<Target> MakeEtcdTarget(const TargetOptions& options) { return std::make_unique<EtcdTarget>(options); }

}  // namespace decree::bench
