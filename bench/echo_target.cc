// A server that only echoes: the ceiling of what this machine carries by unary calls.

#include "bench/grpc_target.h"
#include "decree/v1/echo.grpc.pb.h"

namespace decree::bench {
namespace {

class EchoTarget final : public GrpcTarget {
 public:
  explicit EchoTarget(const TargetOptions& options) : GrpcTarget(options), echo_(MakeStubs<v1::Echo>()) {}

  void Start(const Request&, Waiter& waiter) override {
    StartCall<v1::EchoResponse>(*echo_[AnyChannel()], &v1::Echo::Stub::PrepareAsyncEcho, v1::EchoRequest(),
                                [&waiter](auto& call) { waiter.OnReply({.status = ToStatus(call.status)}); });
  }

 private:
  const std::vector<std::unique_ptr<v1::Echo::Stub>> echo_;
};

}  // namespace

std::unique_ptr<Target> MakeEchoTarget(const TargetOptions& options) { return std::make_unique<EchoTarget>(options); }

}  // namespace decree::bench
