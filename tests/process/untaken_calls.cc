#include "tests/process/untaken_calls.h"

#include <chrono>
#include <thread>

#include <glog/logging.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/proto_utils.h>

namespace decree::process {
namespace {

constexpr size_t kConnections = 20;

}  // namespace

class UntakenCalls::Call final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Call(grpc::GenericStub& stub, const std::string& method, const grpc::ByteBuffer& request, std::atomic<size_t>& ended)
      : request_(request), ended_(ended) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
    stub.PrepareBidiStreamingCall(&context_, method, {}, this);
    StartWriteLast(&request_, {});
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  void OnDone(const grpc::Status&) override { ++ended_; }

  grpc::ByteBuffer request_;  // shares its bytes with those of the others
  grpc::ClientContext context_;
  std::atomic<size_t>& ended_;
};

UntakenCalls::UntakenCalls(const std::string& endpoint, const std::string& method,
                           const google::protobuf::Message& request, size_t calls) {
  for (size_t i = 0; i < kConnections; ++i) {
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // gRPC would take more and more ahead of whoever calls it.
    own.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stubs_.push_back(std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), own)));
  }
  grpc::ByteBuffer bytes;
  bool is_own = false;
  CHECK(grpc::SerializationTraits<google::protobuf::Message>::Serialize(request, &bytes, &is_own).ok());
  for (size_t i = 0; i < calls; ++i) {
    calls_.push_back(std::make_unique<Call>(*stubs_[i % kConnections], method, bytes, ended_));
  }
}

UntakenCalls::~UntakenCalls() {
  for (const auto& call : calls_) call->Cancel();
  while (ended_ < calls_.size()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace decree::process
