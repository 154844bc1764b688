#pragma once
// A client that calls a port, from the same loop.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <google/protobuf/message.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>

#include "rpc/loop/event_loop.h"
#include "tests/unit/rpc/loop/loop_fixture.h"

namespace decree::rpc {

inline void GoRound(EventLoop& loop) {
  loop.Poll(loop.Now() + Milliseconds(1));
  loop.timers().RunDue(loop.Now());
}

// A connection, and the calls that it begins.
class Caller {
 public:
  Caller(EventLoop& loop, const std::string& address) : loop_(loop) {
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), own));
  }
  ~Caller() {
    for (const auto& call : calls_) call->context.TryCancel();
    for (const auto& call : calls_) Status(*call);
  }

  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
    Flag begun;
    Flag sent;
    std::optional<grpc::Status> status;
  };
  // One that says nothing.
  Call& Begin(const std::string& method) {
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    call.stream = stub_->PrepareCall(&call.context, method, loop_.queue());
    call.stream->StartCall(loop_.Tag(call.begun));
    return call;
  }
  // One with a request.
  Call& Send(const std::string& method, const google::protobuf::Message& request) {
    Call& call = Begin(method);
    while (!call.begun.is_set()) GoRound(loop_);
    grpc::ByteBuffer bytes;
    bool is_own = false;
    EXPECT_TRUE(grpc::SerializationTraits<google::protobuf::Message>::Serialize(request, &bytes, &is_own).ok());
    call.stream->WriteLast(bytes, {}, loop_.Tag(call.sent));
    return call;
  }
  // How it has ended.
  grpc::Status Status(Call& call) {
    if (call.status.has_value()) return *call.status;
    Flag ended;
    call.status.emplace();
    call.stream->Finish(&*call.status, loop_.Tag(ended));
    while (!ended.is_set() || !call.begun.is_set()) GoRound(loop_);
    return *call.status;
  }

 private:
  EventLoop& loop_;
  std::unique_ptr<grpc::GenericStub> stub_;
  std::vector<std::unique_ptr<Call>> calls_;
};

}  // namespace decree::rpc
