#pragma once
// A client that calls a port, from the same loop.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/message.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>

#include "rpc/failure.h"
#include "rpc/loop/event_loop.h"
#include "tests/unit/rpc/loop/loop_fixture.h"

namespace decree::rpc {

inline void GoRound(EventLoop& loop) {
  loop.Poll(loop.Now() + Milliseconds(1));
  loop.timers().RunDue(loop.Now());
}

// A connection, and the calls that it begins. While it waits, it goes round the loop, or does what it is told to.
class Caller {
 public:
  Caller(EventLoop& loop, const std::string& address) : Caller(loop, address, [&loop] { GoRound(loop); }) {}
  Caller(EventLoop& loop, const std::string& address, std::function<void()> turn)
      : loop_(loop), turn_(std::move(turn)) {
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), own));
  }
  ~Caller() {
    for (const auto& call : calls_) call->context.TryCancel();
    for (const auto& call : calls_) Status(*call);
  }

  static grpc::ByteBuffer Bytes(const google::protobuf::Message& message) {
    grpc::ByteBuffer bytes;
    bool is_own = false;
    EXPECT_TRUE(grpc::SerializationTraits<google::protobuf::Message>::Serialize(message, &bytes, &is_own).ok());
    return bytes;
  }

  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
    Flag begun;
    Flag sent;
    std::optional<grpc::Status> status;
  };
  // One that says nothing.
  Call& Begin(const std::string& method, std::optional<Duration> time = std::nullopt) {
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    if (time.has_value()) call.context.set_deadline(std::chrono::system_clock::now() + *time);
    call.stream = stub_->PrepareCall(&call.context, method, loop_.queue());
    call.stream->StartCall(loop_.Tag(call.begun));
    return call;
  }
  // One with a request.
  Call& Send(const std::string& method, const google::protobuf::Message& request,
             std::optional<Duration> time = std::nullopt) {
    Call& call = Begin(method, time);
    while (!call.begun.is_set()) turn_();
    call.stream->WriteLast(Bytes(request), {}, loop_.Tag(call.sent));
    return call;
  }
  // Sends a message of several.
  void Write(Call& call, const google::protobuf::Message& message) {
    Flag written;
    while (!call.begun.is_set()) turn_();
    call.stream->Write(Bytes(message), loop_.Tag(written));
    while (!written.is_set()) turn_();
  }
  // The next message of the other end; false if there is none any more.
  bool Read(Call& call, google::protobuf::Message& message) {
    Flag read;
    grpc::ByteBuffer bytes;
    call.stream->Read(&bytes, loop_.Tag(read));
    while (!read.is_set()) turn_();
    if (!bytes.Valid()) return false;
    return grpc::SerializationTraits<google::protobuf::Message>::Deserialize(&bytes, &message).ok();
  }
  // How it has ended.
  grpc::Status Status(Call& call) {
    if (call.status.has_value()) return *call.status;
    Flag ended;
    call.status.emplace();
    call.stream->Finish(&*call.status, loop_.Tag(ended));
    while (!ended.is_set() || !call.begun.is_set()) turn_();
    return *call.status;
  }

  template <typename Response>
  struct Answer {
    grpc::Status status;
    Response response;
    v1::ErrorDetail detail;  // of a failure
  };
  // The one answer to a call that has been sent.
  template <typename Response>
  Answer<Response> AnswerTo(Call& call) {
    Answer<Response> answer;
    Read(call, answer.response);
    answer.status = Status(call);
    answer.detail = ReadErrorDetail(call.context).value_or(v1::ErrorDetail());
    return answer;
  }

 private:
  EventLoop& loop_;
  const std::function<void()> turn_;
  std::unique_ptr<grpc::GenericStub> stub_;
  std::vector<std::unique_ptr<Call>> calls_;
};

}  // namespace decree::rpc
