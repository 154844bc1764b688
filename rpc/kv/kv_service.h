#pragma once
// The key-value service of one node: takes requests, checks them at the door, and answers them when
// the node has carried them out. kv_requests.h says how.

#include <cstddef>

#include "decree/v1/kv.grpc.pb.h"
#include "kv/state_machine.h"
#include "paxos/node/node.h"
#include "rpc/kv/admission.h"
#include "rpc/kv/kv_messages.h"
#include "rpc/kv/kv_requests.h"
#include "rpc/kv/pipeline_service.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/scan_thread.h"
#include "rpc/loop/unary_call.h"

namespace decree::rpc {

class KvService {
 public:
  // All references outlive the service. `service` is the one registered with the server.
  KvService(EventLoop& loop, v1::KV::AsyncService& service, paxos::Node& node,
            kv::StateMachine& store, const Admission::Limits& admission);

  // Takes requests from now on.
  void Open();
  // To be called before every Turn of the node, which takes as long as the disk: sends what is answered.
  void BeforeTurn() { pipelines_.Flush(); }
  // To be called after every Turn of the node: requests may have waited for what it has changed.
  void AfterTurn();
  // Refuses new requests and those that wait for a leader; what is on its way goes on.
  void Close();
  // Requests that have no answer yet.
  size_t outstanding() const { return context_.admission.requests(); }
  uint64_t stale_reads() const { return stale_reads_; }

 private:
  using GetCall = Call<v1::GetRequest, v1::GetResponse>;
  using RangeCall = Call<v1::RangeRequest, v1::RangeResponse>;
  using OutcomeCall = Call<v1::OutcomeRequest, v1::OutcomeResponse>;

  template <typename Method>
  auto MakeWriteMethod(v1::KV::AsyncService& service);
  template <typename Method>
  void OnWrite(std::shared_ptr<Call<typename Method::Request, typename Method::Response>> call);
  template <typename AnyCall>
  void OnRead(std::shared_ptr<AnyCall> call,
              void (KvService::*answer)(const std::shared_ptr<AnyCall>&));
  void AnswerGet(const std::shared_ptr<GetCall>& call);
  void AnswerRange(const std::shared_ptr<RangeCall>& call);
  void OnOutcome(std::shared_ptr<OutcomeCall> call);
  void AnswerOutcome(const std::shared_ptr<OutcomeCall>& call);
  void OnPipelined(const std::shared_ptr<PipelineService::Stream>& stream, Duration time_left,
                   v1::PipelinedRequest& request);
  void FillHeader(v1::ResponseHeader& header) const;
  // Answers the call, which was let in, once the store is fresh enough.
  template <typename AnyCall>
  void ReadThenAnswer(std::shared_ptr<AnyCall> call, Duration time_left, bool may_ask,
                      void (KvService::*answer)(const std::shared_ptr<AnyCall>&));

  KvContext context_;
  UnaryMethod<v1::PutRequest, v1::PutResponse> put_;
  UnaryMethod<v1::GetRequest, v1::GetResponse> get_;
  UnaryMethod<v1::RangeRequest, v1::RangeResponse> range_;
  UnaryMethod<v1::DeleteRequest, v1::DeleteResponse> delete_;
  UnaryMethod<v1::CompareAndSwapRequest, v1::CompareAndSwapResponse> swap_;
  UnaryMethod<v1::OpenSessionRequest, v1::OpenSessionResponse> open_session_;
  UnaryMethod<v1::CloseSessionRequest, v1::CloseSessionResponse> close_session_;
  UnaryMethod<v1::OutcomeRequest, v1::OutcomeResponse> outcome_;
  PipelineService pipelines_;
  uint64_t leadership_changes_ = 0;
  uint64_t stale_reads_ = 0;
  Timer forward_timer_;
  ScanThread scans_;
};

}  // namespace decree::rpc
