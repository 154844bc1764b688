#pragma once
// The key-value service of one node: takes requests, whichever way they come, checks them at the door, and answers
// them. README.md of rpc/ walks a put and a get through it, and says what a new method takes.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "decree/v1/kv.pb.h"
#include "kv/state_machine.h"
#include "paxos/node/node.h"
#include "rpc/kv/leadership.h"
#include "rpc/kv/pipeline_service.h"
#include "rpc/kv/reader.h"
#include "rpc/kv/waiting_room.h"
#include "rpc/kv/writer.h"
#include "rpc/loop/admission.h"
#include "rpc/loop/budget.h"
#include "rpc/loop/call.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/scan_thread.h"
#include "rpc/peer/forwarder.h"
#include "rpc/peer/peer_service.h"

namespace decree::rpc {

class KvService {
 public:
  // The limits to the requests that it holds and to their answers.
  struct Bounds {
    Admission& admission;  // of clients' requests
    Admission& forwarded;  // of those that other nodes forward
    Budget& answers;
  };

  // All references outlive the service; the bounds also outlive the node. The port that has these methods serves it.
  KvService(EventLoop& loop, Methods& methods, paxos::Node& node, kv::StateMachine& machine, Forwarder& forwarder,
            const Bounds& bounds);

  // Takes a write that another node has forwarded.
  void OnForwarded(PeerService::ForwardedCall call);
  // Call it before every Turn of the node, which takes as long as the disk: it sends the answers that are ready.
  void BeforeTurn() { pipelines_.Flush(); }
  // Call it after every Turn of the node: requests may have waited for what that has changed.
  void AfterTurn();
  // Refuses new requests and those that wait for a leader; what is on its way goes on.
  void Close();
  // Whether requests have come that were not let in yet.
  bool has_unserved() const { return pipelines_.has_unserved(); }
  uint64_t stale_reads() const { return reader_.stale_reads(); }

 private:
  using OutcomeCall = CallPtr<v1::OutcomeRequest, v1::OutcomeResponse>;

  // Serves a unary method.
  template <typename Request, typename Response>
  void Offer(Methods& methods, const std::string& name);
  void OnPipelined(const std::shared_ptr<PipelineService::Stream>& stream, Duration time_left,
                   v1::PipelinedRequest& wire, Admission::Place place);

  // ---- What each method does with a call ----

  // Serves a write; the other methods have functions of their own.
  template <typename Request, typename Response>
  void Serve(CallPtr<Request, Response> call);
  void Serve(CallPtr<v1::GetRequest, v1::GetResponse> call);
  void Serve(CallPtr<v1::RangeRequest, v1::RangeResponse> call);
  void Serve(OutcomeCall call);

  template <typename Request, typename Response>
  void ServeWrite(CallPtr<Request, Response> call);
  // Fails the call, or answers it as soon as the state may be read.
  template <typename Request, typename Response, typename AnswerIt>
  void WaitToRead(const ReadRequest& read, CallPtr<Request, Response> call, AnswerIt answer);
  template <typename Request, typename Response>
  void AnswerWrite(const CallPtr<Request, Response>& call, const WriteEnd& end);
  void AnswerGet(const CallPtr<v1::GetRequest, v1::GetResponse>& call);
  void FillGet(Call<v1::GetRequest, v1::GetResponse>& call);
  void AnswerRange(const CallPtr<v1::RangeRequest, v1::RangeResponse>& call);
  void ReadPage(const CallPtr<v1::RangeRequest, v1::RangeResponse>& call);
  void AnswerOutcome(const OutcomeCall& call);
  // Ends a call whose response lacks at most the record that `result` tells of. `told` is that record as another node
  // has told it, or null.
  template <typename Request, typename Response>
  void FinishTelling(const CallPtr<Request, Response>& call, const v1::CommandResult& result,
                     const std::shared_ptr<const v1::KeyValue>& told);
  // That record as this node has it, if its state is as far; also if another node has carried the write out.
  std::optional<v1::KeyValue> PreviousHere(const v1::CommandResult& result) const;

  // ---- The door ----

  // Lets a request in and returns the time that it has, or refuses it and returns nothing. `check` is what was found of
  // the request itself.
  template <typename AnyCall>
  std::optional<Duration> LetIn(AnyCall& call, const Status& check);
  // Why a request that needs a place at `admission` is not let in; nothing if it is.
  std::optional<Failure> WhyNotIn(const Status& check, Duration time_left, bool has_place,
                                  const Admission& admission) const;

  EventLoop& loop_;
  paxos::Node& node_;
  kv::StateMachine& machine_;
  Admission& admission_;
  Admission& forwarded_;
  Leadership leadership_;
  WaitingRoom room_;
  Writer writer_;
  Reader reader_;
  ScanThread scans_;
  PipelineService pipelines_;
  uint64_t leadership_changes_ = 0;
};

}  // namespace decree::rpc
