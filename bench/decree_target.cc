// Decree under load, by its own service and without the client library: what a call costs, and nothing more.

#include "bench/grpc_target.h"
#include "decree/v1/admin.grpc.pb.h"
#include "decree/v1/kv.grpc.pb.h"
#include "rpc/status.h"

namespace decree::bench {
namespace {

class DecreeTarget final : public GrpcTarget {
 public:
  explicit DecreeTarget(const TargetOptions& options)
      : GrpcTarget(options), kv_(MakeStubs<v1::KV>()), admin_(MakeStubs<v1::Admin>()) {}

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
    std::string why = "nobody was asked";
    for (size_t i = 0; i < endpoints(); ++i) {
      grpc::ClientContext context;
      LimitTime(context);
      v1::StatusResponse status;
      const grpc::Status result = StubOf(admin_, i).Status(&context, v1::StatusRequest(), &status);
      if (!result.ok()) {
        why = StrCat(address(i), ": ", result.error_message());
      } else if (status.role() == "leader") {
        return i;
      } else {
        why = "none of the endpoints leads";
      }
    }
    return absl::UnavailableError(why);
  }

  void StartPut(const Request& request, Waiter& waiter) {
    v1::PutRequest put;
    put.mutable_header()->set_no_forwarding(true);
    put.set_key(request.key);
    put.set_value(request.value.data(), request.value.size());
    StartCall<v1::PutResponse>(LeaderStub(), &v1::KV::Stub::PrepareAsyncPut, put,
                               [this, &waiter, asked = leader()](auto& call) {
                                 Reply reply = Judge(call, asked);
                                 reply.revision = call.response.header().revision();
                                 waiter.OnReply(reply);
                               });
  }

  void StartGet(const Request& request, Waiter& waiter) {
    const bool is_stale = request.kind == Kind::kStaleGet;
    v1::GetRequest get;
    get.set_key(request.key);
    get.set_no_forwarding(true);
    get.set_read(is_stale ? v1::READ_MODE_STALE : v1::READ_MODE_LINEARIZABLE);
    StartCall<v1::GetResponse>(is_stale ? *kv_[AnyChannel()] : LeaderStub(),
                               &v1::KV::Stub::PrepareAsyncGet, get,
                               [this, &waiter, asked = leader()](auto& call) {
                                 Reply reply = Judge(call, asked);
                                 reply.found = call.response.found();
                                 reply.revision = call.response.kv().mod_revision();
                                 waiter.OnReply(reply);
                               });
  }

  void StartSwap(const Request& request, Waiter& waiter) {
    v1::CompareAndSwapRequest swap;
    swap.mutable_header()->set_no_forwarding(true);
    swap.set_key(request.key);
    swap.set_value(request.value.data(), request.value.size());
    if (request.expected_revision == 0) {
      swap.set_expected_absent(true);
    } else {
      swap.set_expected_mod_revision(request.expected_revision);
    }
    StartCall<v1::CompareAndSwapResponse>(
        LeaderStub(), &v1::KV::Stub::PrepareAsyncCompareAndSwap, swap,
        [this, &waiter, asked = leader()](auto& call) {
          Reply reply = Judge(call, asked);
          reply.swapped = call.response.swapped();
          reply.revision = reply.swapped ? call.response.header().revision()
                                         : call.response.current().mod_revision();
          waiter.OnReply(reply);
        });
  }

  // How a call ended; learns who leads from one that failed.
  Reply Judge(const Call& call, size_t asked) {
    if (call.status.ok()) return {};
    if (call.status.error_code() == grpc::StatusCode::UNAVAILABLE ||
        call.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      GiveUpLeader(asked);
      if (const auto detail = rpc::ReadErrorDetail(call.context)) NoteLeader(detail->leader_address());
    }
    return {.status = ToStatus(call.status)};
  }

  void NoteLeader(const std::string& leader_address) {
    for (size_t i = 0; i < endpoints(); ++i) {
      if (address(i) == leader_address) set_leader(i);
    }
  }

  v1::KV::Stub& LeaderStub() { return *kv_[LeaderChannel()]; }

  const std::vector<std::unique_ptr<v1::KV::Stub>> kv_;
  const std::vector<std::unique_ptr<v1::Admin::Stub>> admin_;
};

}  // namespace

std::unique_ptr<Target> MakeDecreeTarget(const TargetOptions& options) {
  return std::make_unique<DecreeTarget>(options);
}

}  // namespace decree::bench
