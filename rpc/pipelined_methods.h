#pragma once
// Matches the fields of a pipeline's messages with the methods. Only this file does so, for both ends.

#include <tuple>
#include <type_traits>

#include "decree/v1/kv.pb.h"

namespace decree::rpc {

template <typename RequestType, typename ResponseType, auto kRequestField, auto kResponseField,
          v1::PipelinedRequest::RequestCase kRequest, v1::PipelinedResponse::ResponseCase kResponse>
struct PipelinedMethod {
  using Request = RequestType;
  using Response = ResponseType;
  static bool IsIn(const v1::PipelinedRequest& wire) { return wire.request_case() == kRequest; }
  static bool IsIn(const v1::PipelinedResponse& wire) { return wire.response_case() == kResponse; }
  static Request& In(v1::PipelinedRequest& wire) { return *(wire.*kRequestField)(); }
  static Response& In(v1::PipelinedResponse& wire) { return *(wire.*kResponseField)(); }
};

using PipelinedMethods = std::tuple<
    PipelinedMethod<v1::PutRequest, v1::PutResponse, &v1::PipelinedRequest::mutable_put,
                    &v1::PipelinedResponse::mutable_put, v1::PipelinedRequest::kPut, v1::PipelinedResponse::kPut>,
    PipelinedMethod<v1::GetRequest, v1::GetResponse, &v1::PipelinedRequest::mutable_get,
                    &v1::PipelinedResponse::mutable_get, v1::PipelinedRequest::kGet, v1::PipelinedResponse::kGet>,
    PipelinedMethod<v1::DeleteRequest, v1::DeleteResponse, &v1::PipelinedRequest::mutable_delete_,
                    &v1::PipelinedResponse::mutable_delete_, v1::PipelinedRequest::kDelete,
                    v1::PipelinedResponse::kDelete>,
    PipelinedMethod<v1::CompareAndSwapRequest, v1::CompareAndSwapResponse,
                    &v1::PipelinedRequest::mutable_compare_and_swap, &v1::PipelinedResponse::mutable_compare_and_swap,
                    v1::PipelinedRequest::kCompareAndSwap, v1::PipelinedResponse::kCompareAndSwap>>;

namespace internal {

template <typename Request, typename... Methods>
constexpr auto FindPipelined(const std::tuple<Methods...>*) {
  return std::tuple_cat(
      std::conditional_t<std::is_same_v<Request, typename Methods::Request>, std::tuple<Methods>, std::tuple<>>()...);
}
template <typename Request>
using FoundPipelined = decltype(FindPipelined<Request>(static_cast<const PipelinedMethods*>(nullptr)));

}  // namespace internal

// Whether requests of this type may travel in pipelines, and their method.
template <typename Request>
inline constexpr bool kIsPipelined = std::tuple_size_v<internal::FoundPipelined<Request>> == 1;
template <typename Request>
using PipelinedMethodOf = std::tuple_element_t<0, internal::FoundPipelined<Request>>;

// Calls `serve` with an empty struct, the method of the request that the message holds. False if it holds none that is
// known here.
template <typename Serve>
bool VisitPipelined(const v1::PipelinedRequest& wire, const Serve& serve) {
  return std::apply([&](auto... methods) { return ((methods.IsIn(wire) && (serve(methods), true)) || ...); },
                    PipelinedMethods());
}

}  // namespace decree::rpc
