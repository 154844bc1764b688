#pragma once
// What the client's requests have of their own: messages, names, and how they are sent. `In`: where they are
// in a pipeline's messages, for those that travel so.

#include "decree/v1/admin.grpc.pb.h"
#include "decree/v1/kv.grpc.pb.h"
#include "rpc/client/operation.h"

namespace decree::rpc {

template <typename RequestType, typename ResponseType, auto kPrepareCall>
struct KvMethod {
  using Request = RequestType;
  using Response = ResponseType;
  static constexpr bool kIsPipelined = false;
  static auto Prepare(const EndpointLines& lines, grpc::ClientContext& context,
                      const Request& request, grpc::CompletionQueue& queue) {
    return ((*lines.kv).*kPrepareCall)(&context, request, &queue);
  }
  static void SetHeader(const v1::RequestHeader& header, Request& request) {
    *request.mutable_header() = header;
  }
};

struct PutCall : KvMethod<v1::PutRequest, v1::PutResponse, &v1::KV::Stub::PrepareAsyncPut> {
  static constexpr char kName[] = "put";
  static constexpr bool kIsPipelined = true;
  static constexpr auto kAnswerCase = v1::PipelinedResponse::kPut;
  static v1::PutRequest& In(v1::PipelinedRequest& wire) { return *wire.mutable_put(); }
  static v1::PutResponse& In(v1::PipelinedResponse& wire) { return *wire.mutable_put(); }
};
struct DeleteCall
    : KvMethod<v1::DeleteRequest, v1::DeleteResponse, &v1::KV::Stub::PrepareAsyncDelete> {
  static constexpr char kName[] = "delete";
  static constexpr bool kIsPipelined = true;
  static constexpr auto kAnswerCase = v1::PipelinedResponse::kDelete;
  static v1::DeleteRequest& In(v1::PipelinedRequest& wire) { return *wire.mutable_delete_(); }
  static v1::DeleteResponse& In(v1::PipelinedResponse& wire) { return *wire.mutable_delete_(); }
};
struct SwapCall : KvMethod<v1::CompareAndSwapRequest, v1::CompareAndSwapResponse,
                           &v1::KV::Stub::PrepareAsyncCompareAndSwap> {
  static constexpr char kName[] = "compare-and-swap";
  static constexpr bool kIsPipelined = true;
  static constexpr auto kAnswerCase = v1::PipelinedResponse::kCompareAndSwap;
  static v1::CompareAndSwapRequest& In(v1::PipelinedRequest& wire) {
    return *wire.mutable_compare_and_swap();
  }
  static v1::CompareAndSwapResponse& In(v1::PipelinedResponse& wire) {
    return *wire.mutable_compare_and_swap();
  }
};
struct GetCall : KvMethod<v1::GetRequest, v1::GetResponse, &v1::KV::Stub::PrepareAsyncGet> {
  static constexpr char kName[] = "get";
  static constexpr bool kIsPipelined = true;
  static constexpr auto kAnswerCase = v1::PipelinedResponse::kGet;
  static v1::GetRequest& In(v1::PipelinedRequest& wire) { return *wire.mutable_get(); }
  static v1::GetResponse& In(v1::PipelinedResponse& wire) { return *wire.mutable_get(); }
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
  static constexpr bool kIsPipelined = false;
  static auto Prepare(const EndpointLines& lines, grpc::ClientContext& context,
                      const Request& request, grpc::CompletionQueue& queue) {
    return ((*lines.admin).*kPrepareCall)(&context, request, &queue);
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

}  // namespace decree::rpc
