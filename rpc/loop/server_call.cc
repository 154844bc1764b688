#include "rpc/loop/server_call.h"

#include <utility>

#include <glog/logging.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "rpc/loop/held_writes.h"
#include "rpc/loop/request_bytes.h"

namespace decree::rpc {
namespace {

using google::protobuf::Message;

// The most fields in a message of another node. A frame that has waited for long may have many small messages, but no
// frame of ours has more.
constexpr int kMessageFieldsMax = 1'000'000;
// Fewer hold no more than a node can bear.
constexpr size_t kManyBytes = 256 << 10;

grpc::ByteBuffer BytesOf(const Message& message) {
  grpc::ByteBuffer bytes;
  bool is_own = false;
  CHECK(grpc::SerializationTraits<Message>::Serialize(message, &bytes, &is_own).ok());
  return bytes;
}

}  // namespace

// ---- Its life ----

ServerCall::ServerCall(EventLoop& loop, const Receive& receive) : loop_(loop), receive_(receive), wire_(&context_) {}

ServerCall::~ServerCall() {
  CHECK_EQ(under_way_, 0) << "a call is destroyed before it is gone";
  if (connection_ == nullptr) return;
  SetBusy(false);
  connection_->OnCallGone();
}

void ServerCall::Await(EventLoop& loop, grpc::AsyncGenericService& service, const Receive& receive) {
  std::unique_ptr<ServerCall> call(new ServerCall(loop, receive));
  ServerCall& awaited = *call;
  awaited.self_ = std::move(call);
  // Expected only from the arrival on: for a call that never arrives "done" does not come.
  awaited.context_.AsyncNotifyWhenDone(loop.ExpectedTag(awaited.done_));
  service.RequestCall(&awaited.context_, &awaited.wire_, loop.queue(), loop.queue(), awaited.Tag(awaited.arrived_));
}

void ServerCall::OnArrived(bool ok) {
  --under_way_;
  std::unique_ptr<ServerCall> self = std::move(self_);
  if (!ok) return;  // The server is closing.
  static_cast<void>(Tag(done_));
  receive_(std::move(self));
}

void ServerCall::SetConnection(std::shared_ptr<Callers::Connection> connection) {
  connection_ = std::move(connection);
  connection_->OnCall();
}

void ServerCall::SetBusy(bool is_busy) {
  if (std::exchange(is_busy_, is_busy) == is_busy) return;
  is_busy ? connection_->OnBusy() : connection_->OnIdle();
}

Duration ServerCall::TimeLeft(Duration fallback) const {
  const gpr_timespec deadline = gpr_convert_clock_type(context_.raw_deadline(), GPR_CLOCK_MONOTONIC);
  if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0) return fallback;
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
  return std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
}

Time ServerCall::Deadline() const {
  const Duration left = TimeLeft(Duration::max());
  return left == Duration::max() ? kTimeNever : loop_.Now() + left;
}

// The caller is gone, or has all that it was to be told.
void ServerCall::OnDone(bool) {
  --under_way_;
  is_ending_ = true;
  GoIfDone();
}

void ServerCall::OnFinished(bool) {
  --under_way_;
  GoIfDone();
}

void ServerCall::GoIfDone() {
  if (under_way_ > 0) return;
  const std::shared_ptr<Handler> handler = std::move(handler_);
  handler->OnGone();
}

void* ServerCall::Tag(Event& event) {
  ++under_way_;
  return loop_.Tag(event);
}

// ---- Messages ----

void ServerCall::Read() {
  CHECK(!is_ending_);
  wire_.Read(&received_, Tag(read_));
}

void ServerCall::OnRead(bool ok) {
  --under_way_;
  if (is_ending_) return GoIfDone();
  ok ? handler_->OnMessage() : handler_->OnHalfClosed();
}

std::string ServerCall::TakeBytes() {
  std::string bytes;
  bytes.reserve(received_.Length());
  {
    grpc::ProtoBufferReader pieces(&received_);
    const void* piece = nullptr;
    for (int size = 0; pieces.Next(&piece, &size);) bytes.append(static_cast<const char*>(piece), size);
  }
  received_.Clear();
  return bytes;
}

bool ServerCall::TakeMessage(Message& message) {
  if (received_.Length() > kManyBytes) {
    grpc::ProtoBufferReader reader(&received_);
    if (!HasFieldsWithin(kMessageFieldsMax, *message.GetDescriptor(), reader)) return false;
  }
  return grpc::SerializationTraits<Message>::Deserialize(&received_, &message).ok();
}

bool ServerCall::TakeRequest(Message& request, size_t bytes_max) {
  if (received_.Length() <= bytes_max) return ParseRequest(TakeBytes(), request);
  received_.Clear();
  return false;
}

void ServerCall::Write(const Message& message) {
  CHECK(!is_ending_ && !is_writing_);
  is_writing_ = true;
  wire_.Write(BytesOf(message), Tag(written_));
}

void ServerCall::OnWritten(bool ok) {
  --under_way_;
  is_writing_ = false;
  if (is_ending_) return GoIfDone();
  if (ok) return handler_->OnWritten();
  // The caller is gone. "Done" is going to say so too, but perhaps not in this turn.
  is_ending_ = true;
}

void ServerCall::End(const grpc::Status& status) {
  if (std::exchange(is_ending_, true)) return;
  const HoldWrites hold;
  wire_.Finish(status, Tag(finished_));
}

void ServerCall::Fail(const Failure& failure) {
  context_.AddTrailingMetadata(kErrorDetailKey, failure.detail.SerializeAsString());
  End(failure.ToStatus());
}

void ServerCall::WriteAndEnd(const Message& message) {
  if (std::exchange(is_ending_, true)) return;
  CHECK(!is_writing_);
  const HoldWrites hold;
  wire_.WriteAndFinish(BytesOf(message), grpc::WriteOptions(), grpc::Status::OK, Tag(finished_));
}

}  // namespace decree::rpc
