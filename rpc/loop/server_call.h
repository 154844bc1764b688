#pragma once
// One call at a port, of whatever method, from its first word to its end; its messages are bytes here. gRPC allows one
// read and one write at a time, and after the end nothing but waiting until all that was begun has come back. This
// class keeps track of that; what is read and written is the handler's business.
//
// A call exists as soon as it has begun, before its first message has come. So calls that never say anything are seen,
// counted and limited.
//
// For the loop's thread.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <google/protobuf/message.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "paxos/base/time.h"
#include "rpc/failure.h"
#include "rpc/loop/callers.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

// Requests that name no keys and no values are smaller. Nobody counts what they hold.
inline constexpr size_t kSmallRequestBytes = 4096;

class ServerCall {
 public:
  // What is done with a call. Once the call has ended, whoever has ended it, only OnGone is called.
  class Handler {
   public:
    virtual ~Handler() = default;
    // A message has been read.
    virtual void OnMessage() = 0;
    // The caller will send no more.
    virtual void OnHalfClosed() = 0;
    // The next message may be written.
    virtual void OnWritten() = 0;
    // Nothing follows; the call then lets the handler go.
    virtual void OnGone() = 0;
  };
  using Receive = std::function<void(std::unique_ptr<ServerCall>)>;

  // Waits for the next call, and hands it to `receive`, which begins it; both outlive the wait.
  static void Await(EventLoop& loop, grpc::AsyncGenericService& service, const Receive& receive);
  ~ServerCall();
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  // The method's path, such as /decree.v1.KV/Put.
  const std::string& method() const { return context_.method(); }
  // How long the caller waits; `fallback` if it did not say.
  Duration TimeLeft(Duration fallback) const;
  // The same as a point in time; kTimeNever if it did not say.
  Time Deadline() const;
  // The connection by which the call has come, once it was set.
  void SetConnection(std::shared_ptr<Callers::Connection> connection);
  const std::shared_ptr<Callers::Connection>& connection() const { return connection_; }
  // The connection's other end, as gRPC names it.
  std::string caller() const { return context_.peer(); }

  // Keeps the handler, which holds this, until the call is gone. Call it before all that follows.
  void Begin(std::shared_ptr<Handler> handler) { handler_ = std::move(handler); }
  void Read();
  // The message that was read. A copy: gRPC 1.51 crashes where the last who holds a piece of its memory is not gRPC
  // itself, and others wait for memory of the same quota.
  std::string TakeBytes();
  // The same, parsed: from another node, or from a client. False if it is no such message, or has more bytes, or more
  // fields than either sends.
  bool TakeMessage(google::protobuf::Message& message);
  bool TakeRequest(google::protobuf::Message& request, size_t bytes_max = std::string::npos);
  size_t received_bytes() const { return received_.Length(); }
  void DropMessage() { received_.Clear(); }
  void Write(const google::protobuf::Message& message);
  // The following end the call, and do nothing if it has ended.
  void End(const grpc::Status& status);
  void Fail(const Failure& failure);
  void WriteAndEnd(const google::protobuf::Message& message);
  // Makes all that is under way fail; OnGone follows.
  void Cancel() { context_.TryCancel(); }
  // Tells whether a request of it is being served. A connection without one may have to make room for others.
  void SetBusy(bool is_busy);

  bool is_writing() const { return is_writing_; }
  // Whether nothing more is read or written: the call was ended here, or the caller is gone.
  bool is_ending() const { return is_ending_; }

 private:
  ServerCall(EventLoop& loop, const Receive& receive);

  void OnArrived(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnDone(bool ok);
  void OnFinished(bool ok);
  void GoIfDone();
  void* Tag(Event& event);

  EventLoop& loop_;
  const Receive& receive_;
  std::unique_ptr<ServerCall> self_;  // until it has arrived
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter wire_;
  std::shared_ptr<Callers::Connection> connection_;
  std::shared_ptr<Handler> handler_;  // until it is gone
  grpc::ByteBuffer received_;

  bool is_busy_ = false;
  bool is_writing_ = false;
  bool is_ending_ = false;
  int under_way_ = 0;

  MemberEvent<ServerCall, &ServerCall::OnArrived> arrived_{this};
  MemberEvent<ServerCall, &ServerCall::OnRead> read_{this};
  MemberEvent<ServerCall, &ServerCall::OnWritten> written_{this};
  MemberEvent<ServerCall, &ServerCall::OnDone> done_{this};
  MemberEvent<ServerCall, &ServerCall::OnFinished> finished_{this};
};

}  // namespace decree::rpc
