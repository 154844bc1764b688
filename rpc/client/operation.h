#pragma once
// One request of the client on its way, over all its attempts. `ClientCore` moves it; what depends
// on the method is in `UnaryOperation`.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/status.h>

#include "decree/v1/admin.grpc.pb.h"
#include "decree/v1/kv.grpc.pb.h"
#include "rpc/client.h"
#include "rpc/client/attempt_error.h"
#include "rpc/client/client_loop.h"

namespace decree::rpc {

// The stubs of one endpoint's channel.
struct EndpointStubs {
  std::unique_ptr<v1::KV::Stub> kv;
  std::unique_ptr<v1::Admin::Stub> admin;
};

class Operation : public ClientLoop::Event {
 public:
  // kRepeatable: changes something, and may be sent any number of times. kLeaderOnly: never forwarded, and
  // not sent again once it may have been carried out.
  enum class Kind { kWrite, kRead, kStaleRead, kRepeatable, kLeaderOnly, kNodeStatus };

  Operation(Kind operation_kind, std::string what, size_t size)
      : kind(operation_kind), name(std::move(what)), bytes(size) {}

  bool IsWrite() const { return kind == Kind::kWrite; }
  bool IsRead() const { return kind == Kind::kRead || kind == Kind::kStaleRead; }

  // ---- What differs between the methods ----

  virtual void SetHeader(const v1::RequestHeader& header) = 0;
  // `OnEvent` follows. Keeps no lock of ours.
  virtual void StartCall(const EndpointStubs& stubs, grpc::CompletionQueue& queue) = 0;
  // The end: calls the callback, with the answer if `status` is OK.
  virtual void End(const Status& status) = 0;

  // ---- Guarded by ClientCore's lock ----

  enum class State { kNew, kWaitingForSession, kInFlight, kPausing };

  const Kind kind;
  const std::string name;  // "put", for errors
  const size_t bytes;
  uint64_t id = 0;
  Time deadline;
  State state = State::kNew;

  // The session that a write belongs to and its number there; 0: none, or none yet.
  uint64_t session = 0;
  uint64_t number = 0;

  // Of the latest attempt.
  size_t endpoint = 0;
  bool asked_leader_only = false;  // The node was told not to forward.
  Time sent_at;
  std::unique_ptr<grpc::ClientContext> context;
  grpc::Status result;

  // Over all attempts.
  int attempts = 0;
  int failures = 0;  // That were answered by a pause.
  int redirects = 0;
  int renewals = 0;  // of the session
  bool may_have_run = false;
  // Why the latest attempt failed that was given the time to end.
  std::optional<AttemptError> why;
};

// ---- Methods ----

template <typename RequestType, typename ResponseType, auto kPrepareCall>
struct KvMethod {
  using Request = RequestType;
  using Response = ResponseType;
  static auto Prepare(const EndpointStubs& stubs, grpc::ClientContext& context,
                      const Request& request, grpc::CompletionQueue& queue) {
    return ((*stubs.kv).*kPrepareCall)(&context, request, &queue);
  }
  static void SetHeader(const v1::RequestHeader& header, Request& request) {
    *request.mutable_header() = header;
  }
};

struct PutCall : KvMethod<v1::PutRequest, v1::PutResponse, &v1::KV::Stub::PrepareAsyncPut> {
  static constexpr char kName[] = "put";
};
struct DeleteCall
    : KvMethod<v1::DeleteRequest, v1::DeleteResponse, &v1::KV::Stub::PrepareAsyncDelete> {
  static constexpr char kName[] = "delete";
};
struct SwapCall : KvMethod<v1::CompareAndSwapRequest, v1::CompareAndSwapResponse,
                           &v1::KV::Stub::PrepareAsyncCompareAndSwap> {
  static constexpr char kName[] = "compare-and-swap";
};
struct GetCall : KvMethod<v1::GetRequest, v1::GetResponse, &v1::KV::Stub::PrepareAsyncGet> {
  static constexpr char kName[] = "get";
  static void SetHeader(const v1::RequestHeader& header, v1::GetRequest& request) {
    request.set_no_forwarding(header.no_forwarding());
  }
};
struct RangeCall : KvMethod<v1::RangeRequest, v1::RangeResponse, &v1::KV::Stub::PrepareAsyncRange> {
  static constexpr char kName[] = "range";
  static void SetHeader(const v1::RequestHeader& header, v1::RangeRequest& request) {
    request.set_no_forwarding(header.no_forwarding());
  }
};
struct OpenSessionCall : KvMethod<v1::OpenSessionRequest, v1::OpenSessionResponse,
                                  &v1::KV::Stub::PrepareAsyncOpenSession> {
  static constexpr char kName[] = "open a session";
};
struct CloseSessionCall : KvMethod<v1::CloseSessionRequest, v1::CloseSessionResponse,
                                   &v1::KV::Stub::PrepareAsyncCloseSession> {
  static constexpr char kName[] = "close a session";
};
struct OutcomeCall
    : KvMethod<v1::OutcomeRequest, v1::OutcomeResponse, &v1::KV::Stub::PrepareAsyncOutcome> {
  static constexpr char kName[] = "outcome";
  static void SetHeader(const v1::RequestHeader& header, v1::OutcomeRequest& request) {
    request.mutable_header()->set_no_forwarding(header.no_forwarding());
  }
};
template <typename RequestType, typename ResponseType, auto kPrepareCall>
struct AdminMethod {
  using Request = RequestType;
  using Response = ResponseType;
  static auto Prepare(const EndpointStubs& stubs, grpc::ClientContext& context,
                      const Request& request, grpc::CompletionQueue& queue) {
    return ((*stubs.admin).*kPrepareCall)(&context, request, &queue);
  }
  static void SetHeader(const v1::RequestHeader&, Request&) {}
};

struct TransferCall
    : AdminMethod<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse,
                  &v1::Admin::Stub::PrepareAsyncTransferLeadership> {
  static constexpr char kName[] = "leader transfer";
};
struct NodeStatusCall : AdminMethod<v1::StatusRequest, v1::StatusResponse,
                                    &v1::Admin::Stub::PrepareAsyncStatus> {
  static constexpr char kName[] = "status";
};

// A request of one method.
template <typename Method>
class UnaryOperation final : public Operation {
 public:
  using Request = typename Method::Request;
  using Response = typename Method::Response;
  // Takes the operation when an attempt has ended, on the loop's thread.
  using OnAttemptEnded = std::function<void(Operation&)>;

  UnaryOperation(Kind operation_kind, Request request, OnAttemptEnded on_attempt_ended,
                 Client::Callback<Response> done)
      : Operation(operation_kind, Method::kName, request.ByteSizeLong()),
        request_(std::move(request)),
        on_attempt_ended_(std::move(on_attempt_ended)),
        done_(std::move(done)) {}

  void SetHeader(const v1::RequestHeader& header) override { Method::SetHeader(header, request_); }

  void StartCall(const EndpointStubs& stubs, grpc::CompletionQueue& queue) override {
    reader_ = Method::Prepare(stubs, *context, request_, queue);
    reader_->StartCall();
    reader_->Finish(&response_, &result, ClientLoop::Tag(*this));
  }

  void OnEvent(bool) override { on_attempt_ended_(*this); }

  void End(const Status& status) override {
    if (!status.ok()) return done_(status);
    done_(std::move(response_));
  }

 private:
  Request request_;
  const OnAttemptEnded on_attempt_ended_;
  const Client::Callback<Response> done_;
  Response response_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
};

}  // namespace decree::rpc
