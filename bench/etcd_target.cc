// etcd under the same load, by its v3 interface.

#include "bench/grpc_target.h"
#include "etcd/rpc.grpc.pb.h"

namespace decree::bench {
namespace {

using etcdserverpb::KV;
using etcdserverpb::Maintenance;

class EtcdTarget final : public GrpcTarget {
 public:
  explicit EtcdTarget(const TargetOptions& options)
      : GrpcTarget(options), kv_(MakeStubs<KV>()), maintenance_(MakeStubs<Maintenance>()) {}

  void Start(const Request& request, Waiter& waiter) override {
    switch (request.kind) {
      case Kind::kGet:
      case Kind::kStaleGet:
        return StartGet(request, waiter);
      case Kind::kSwap:
        return StartSwap(request, waiter);
      default:
        return StartPut(request, waiter);
    }
  }

 private:
  StatusOr<size_t> FindLeader() override {
    std::string why = "none of the endpoints leads";
    for (size_t i = 0; i < endpoints(); ++i) {
      grpc::ClientContext context;
      LimitTime(context);
      etcdserverpb::StatusResponse status;
      const grpc::Status result =
          StubOf(maintenance_, i).Status(&context, etcdserverpb::StatusRequest(), &status);
      if (!result.ok()) {
        why = StrCat(address(i), ": ", result.error_message());
      } else if (status.leader() == status.header().member_id()) {
        return i;
      }
    }
    return absl::UnavailableError(why);
  }

  void StartPut(const Request& request, Waiter& waiter) {
    etcdserverpb::PutRequest put;
    put.set_key(request.key);
    put.set_value(request.value.data(), request.value.size());
    StartCall<etcdserverpb::PutResponse>(LeaderStub(), &KV::Stub::PrepareAsyncPut, put,
                                         [this, &waiter, asked = leader()](auto& call) {
                                           Reply reply = Judge(call, asked);
                                           reply.revision = RevisionOf(call.response.header());
                                           waiter.OnReply(reply);
                                         });
  }

  void StartGet(const Request& request, Waiter& waiter) {
    const bool is_stale = request.kind == Kind::kStaleGet;
    etcdserverpb::RangeRequest range;
    range.set_key(request.key);
    range.set_serializable(is_stale);
    StartCall<etcdserverpb::RangeResponse>(is_stale ? *kv_[AnyChannel()] : LeaderStub(),
                                           &KV::Stub::PrepareAsyncRange, range,
                                           [this, &waiter, asked = leader()](auto& call) {
                                             Reply reply = Judge(call, asked);
                                             NoteFound(call.response, reply);
                                             waiter.OnReply(reply);
                                           });
  }

  // If the key's last change is as expected, puts it; reads it otherwise.
  void StartSwap(const Request& request, Waiter& waiter) {
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
    StartCall<etcdserverpb::TxnResponse>(
        LeaderStub(), &KV::Stub::PrepareAsyncTxn, txn, [this, &waiter, asked = leader()](auto& call) {
          Reply reply = Judge(call, asked);
          reply.swapped = call.response.succeeded();
          if (reply.swapped) {
            reply.revision = RevisionOf(call.response.header());
          } else if (call.response.responses_size() == 1) {
            NoteFound(call.response.responses(0).response_range(), reply);
          }
          waiter.OnReply(reply);
        });
  }

  static uint64_t RevisionOf(const etcdserverpb::ResponseHeader& header) {
    return static_cast<uint64_t>(header.revision());
  }

  static void NoteFound(const etcdserverpb::RangeResponse& range, Reply& reply) {
    reply.found = range.kvs_size() == 1;
    if (reply.found) reply.revision = static_cast<uint64_t>(range.kvs(0).mod_revision());
  }

  Reply Judge(const Call& call, size_t asked) {
    if (call.status.ok()) return {};
    if (call.status.error_code() == grpc::StatusCode::UNAVAILABLE ||
        call.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      GiveUpLeader(asked);
    }
    return {.status = ToStatus(call.status)};
  }

  KV::Stub& LeaderStub() { return *kv_[LeaderChannel()]; }

  const std::vector<std::unique_ptr<KV::Stub>> kv_;
  const std::vector<std::unique_ptr<Maintenance::Stub>> maintenance_;
};

}  // namespace

std::unique_ptr<Target> MakeEtcdTarget(const TargetOptions& options) {
  return std::make_unique<EtcdTarget>(options);
}

}  // namespace decree::bench
