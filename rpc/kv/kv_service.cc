#include "rpc/kv/kv_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kv/command.h"
#include "rpc/kv/answers.h"
#include "rpc/kv/commands.h"
#include "rpc/kv/range_page.h"
#include "rpc/loop/caller_address.h"
#include "rpc/loop/unary_call.h"
#include "rpc/pipelined_methods.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;

static_assert(kClientBytesMax <= kv::kOwnerBytesMax, "a client owns its sessions");

// How long callers wait that do not say so, and the longest time that counts.
constexpr Duration kTimeLeftDefault = Seconds(5);
constexpr Duration kTimeLeftMax = Seconds(3600);
// Whether the result tells what a key held before, and how much room that takes.
bool TellsRecord(const v1::CommandResult& result) { return kv::StateMachine::Telling(result).previous_revision() != 0; }
Budget::Size SizeOfRecord(const v1::CommandResult& result) {
  return Budget::SizeOf(kv::StateMachine::Telling(result).previous_value_bytes());
}

Failure NoRoom() { return Overloaded(StrCat(kNoRoomForAnswer, kNotServed)); }

}  // namespace

// ---- Methods ----

KvService::KvService(EventLoop& loop, Methods& methods, paxos::Node& node, kv::StateMachine& machine,
                     Forwarder& forwarder, const Bounds& bounds)
    : loop_(loop),
      node_(node),
      machine_(machine),
      admission_(bounds.admission),
      forwarded_(bounds.forwarded),
      leadership_(loop, node),
      room_(loop, node.hand_over_max()),
      writer_(loop, node, machine, leadership_, room_, forwarder),
      reader_(loop, node, leadership_, room_),
      scans_(loop),
      pipelines_(loop, bounds.admission, bounds.answers, methods,
                 [this](const auto& stream, Duration time_left, v1::PipelinedRequest& wire, Admission::Place place) {
                   OnPipelined(stream, time_left, wire, std::move(place));
                 }) {
  Offer<v1::PutRequest, v1::PutResponse>(methods, "Put");
  Offer<v1::GetRequest, v1::GetResponse>(methods, "Get");
  Offer<v1::RangeRequest, v1::RangeResponse>(methods, "Range");
  Offer<v1::DeleteRequest, v1::DeleteResponse>(methods, "Delete");
  Offer<v1::CompareAndSwapRequest, v1::CompareAndSwapResponse>(methods, "CompareAndSwap");
  Offer<v1::OpenSessionRequest, v1::OpenSessionResponse>(methods, "OpenSession");
  Offer<v1::CloseSessionRequest, v1::CloseSessionResponse>(methods, "CloseSession");
  Offer<v1::OutcomeRequest, v1::OutcomeResponse>(methods, "Outcome");
}

template <typename Request, typename Response>
void KvService::Offer(Methods& methods, const std::string& name) {
  OfferUnary<Request, Response>(methods, StrCat("/decree.v1.KV/", name), &admission_,
                                [this](CallPtr<Request, Response> call) { Serve(std::move(call)); });
}

void KvService::OnPipelined(const std::shared_ptr<PipelineService::Stream>& stream, Duration time_left,
                            v1::PipelinedRequest& wire, Admission::Place place) {
  const bool is_known = VisitPipelined(wire, [&](auto method) {
    using Method = decltype(method);
    using Request = typename Method::Request;
    using Response = typename Method::Response;
    Serve(CallPtr<Request, Response>(std::make_shared<PipelinedCall<Request, Response>>(
        stream, wire.id(), time_left, Method::In(wire), std::move(place))));
  });
  if (is_known) return;
  PipelineService::Refuse(*stream, wire.id(),
                          NotExecuted(StatusCode::UNIMPLEMENTED, "the pipelined request is of no kind known here"));
}

// ---- Life ----

void KvService::AfterTurn() {
  pipelines_.Flush();
  writer_.AfterTurn();
  if (leadership_changes_ == node_.leadership_changes()) return;
  leadership_changes_ = node_.leadership_changes();
  writer_.OnLeadershipChanged();
  room_.TryAll();
}

void KvService::Close() {
  writer_.Close();
  reader_.Close();
  room_.TryAll();
  pipelines_.Close();
}

// ---- The door ----

std::optional<Failure> KvService::WhyNotIn(const Status& check, Duration time_left, bool has_place,
                                           const Admission& admission) const {
  if (!check.ok()) return NotExecuted(StatusCode::INVALID_ARGUMENT, std::string(check.message()));
  if (time_left <= Duration::zero()) {
    return NotExecuted(StatusCode::DEADLINE_EXCEEDED, "the deadline has passed on arrival");
  }
  if (has_place) return std::nullopt;
  return Overloaded(StrCat(leadership_.Name(), " has ", admission.requests(), " requests of ", admission.bytes(),
                           " bytes without an answer, and takes no more"));
}

template <typename AnyCall>
std::optional<Duration> KvService::LetIn(AnyCall& call, const Status& check) {
  const Duration time_left = std::min(call.TimeLeft(kTimeLeftDefault), kTimeLeftMax);
  if (const std::optional<Failure> failure = WhyNotIn(check, time_left, call.has_place(), admission_)) {
    call.Fail(*failure);
    return std::nullopt;
  }
  call.SetAnswerBy(AnswerBy(loop_.RoughlyNow(), time_left));
  return time_left;
}

// ---- Writes ----

template <typename Request, typename Response>
void KvService::Serve(CallPtr<Request, Response> call) {
  ServeWrite(std::move(call));
}

template <typename Request, typename Response>
void KvService::ServeWrite(CallPtr<Request, Response> call) {
  v1::Command command = MakeCommand(call->request());
  if (command.has_open_session()) command.mutable_open_session()->set_owner(ClientOf(call->caller()));
  const std::optional<Duration> time_left = LetIn(*call, Check(command));
  if (!time_left.has_value()) return;
  writer_.Start(command, {.no_forwarding = call->request().header().no_forwarding(), .time_left = *time_left},
                [this, call](WriteEnd& end) { AnswerWrite(call, end); });
}

template <typename Request, typename Response>
void KvService::AnswerWrite(const CallPtr<Request, Response>& call, const WriteEnd& end) {
  if (end.failure.has_value()) return call->Fail(*end.failure);
  FillHeader(end.node, end.result.revision(), end.result.store_epoch(), *call->response().mutable_header());
  FillResponse(end.result, call->response());
  FinishTelling(call, end.result, end.previous);
}

template <typename Request, typename Response>
void KvService::FinishTelling(const CallPtr<Request, Response>& call, const v1::CommandResult& result,
                              const std::shared_ptr<const v1::KeyValue>& told) {
  if (!TellsRecord(result)) return call->Finish();
  const Budget::Size size = SizeOfRecord(result);
  if (call->taker().HasRoom(size)) {
    TellPrevious(told != nullptr ? std::optional(*told) : PreviousHere(result), call->response());
    return call->Finish();
  }
  // The record is not kept while the call waits: by then this node has it, too.
  call->taker().Await(size, call->answer_by(), [this, call, result](bool has_room) {
    TellPrevious(has_room ? PreviousHere(result) : std::nullopt, call->response());
    call->Finish();
  });
}

std::optional<v1::KeyValue> KvService::PreviousHere(const v1::CommandResult& result) const {
  const kv::State& state = machine_.state();
  const bool is_as_far =
      state.epoch == result.store_epoch() && state.revision >= kv::StateMachine::Telling(result).previous_revision();
  return is_as_far ? machine_.PreviousOf(result) : std::nullopt;
}

void KvService::OnForwarded(PeerService::ForwardedCall call) {
  std::optional<v1::Command> command = kv::ParseCommand(call.command());
  const Status check = command.has_value() ? Check(*command) : absl::InvalidArgumentError("no command is forwarded");
  auto place = std::make_shared<Admission::Place>(forwarded_.Enter(Admission::BytesOf(call.command().size())));
  const bool has_place = static_cast<bool>(*place);
  if (const auto failure = WhyNotIn(check, call.time_left(), has_place, forwarded_)) return call.Fail(*failure);
  const Time answer_by = AnswerBy(loop_.RoughlyNow(), call.time_left());
  writer_.Start(*command, {.was_forwarded = true, .time_left = call.time_left()},
                [this, call, place, answer_by](WriteEnd& end) {
                  if (end.failure.has_value()) return call.Fail(*end.failure);
                  if (!TellsRecord(end.result)) return call.Answer(std::move(end.result_bytes));
                  call.taker().WhenRoom(
                      answer_by, [&end] { return SizeOfRecord(end.result); },
                      [this, call, place, result = end.result](bool has_room) {
                        call.Answer(result.SerializeAsString(), has_room ? PreviousHere(result) : std::nullopt);
                      });
                });
}

// ---- Reads ----

template <typename Request, typename Response, typename AnswerIt>
void KvService::WaitToRead(const ReadRequest& read, CallPtr<Request, Response> call, AnswerIt answer) {
  reader_.Start(read, [call = std::move(call), answer = std::move(answer)](const std::optional<Failure>& failure) {
    failure.has_value() ? call->Fail(*failure) : answer();
  });
}

void KvService::Serve(CallPtr<v1::GetRequest, v1::GetResponse> call) {
  const v1::GetRequest& request = call->request();
  const std::optional<Duration> time_left = LetIn(*call, Check(request));
  if (!time_left.has_value()) return;
  if (reader_.MayReadNow(request.read())) return AnswerGet(call);
  WaitToRead({.mode = request.read(), .may_ask = !request.no_forwarding(), .time_left = *time_left}, call,
             [this, call] { AnswerGet(call); });
}

void KvService::AnswerGet(const CallPtr<v1::GetRequest, v1::GetResponse>& call) {
  call->taker().WhenRoom(
      call->answer_by(), [this, &call] { return Budget::SizeOf(machine_.ValueBytes(call->request().key())); },
      [this, call](bool has_room) {
        if (!has_room) return call->Fail(NoRoom());
        FillGet(*call);
        call->Finish();
      });
}

void KvService::FillGet(Call<v1::GetRequest, v1::GetResponse>& call) {
  const std::string& key = call.request().key();
  v1::GetResponse& response = call.response();
  FillHeader(leadership_.self(), machine_.state().revision, machine_.state().epoch, *response.mutable_header());
  response.set_read(call.request().read());
  if (std::optional<kv::KeyRecord> head = machine_.Get(key)) {
    response.set_found(true);
    *response.mutable_kv() = kv::ToKeyValue(key, *std::move(head));
  }
}

void KvService::Serve(CallPtr<v1::RangeRequest, v1::RangeResponse> call) {
  const v1::RangeRequest& request = call->request();
  const std::optional<Duration> time_left = LetIn(*call, Check(request));
  if (!time_left.has_value()) return;
  if (reader_.MayReadNow(request.read())) return AnswerRange(call);
  WaitToRead({.mode = request.read(), .may_ask = !request.no_forwarding(), .time_left = *time_left}, call,
             [this, call] { AnswerRange(call); });
}

void KvService::AnswerRange(const CallPtr<v1::RangeRequest, v1::RangeResponse>& call) {
  call->taker().WhenRoom(
      call->answer_by(), [] { return Budget::Size::kLarge; },
      [this, call](bool has_room) { has_room ? ReadPage(call) : call->Fail(NoRoom()); });
}

// The view is that of now; what takes long is to read so much of it.
void KvService::ReadPage(const CallPtr<v1::RangeRequest, v1::RangeResponse>& call) {
  call->Hold(call->taker().Charge(kPageBytes));
  const auto status = std::make_shared<Status>();
  scans_.Run(
      [call, node = leadership_.self(), view = machine_.view(), status] {
        // It may have waited behind others for longer than its caller.
        *status = call->TimeLeft(kTimeLeftDefault) > Duration::zero()
                      ? FillPage(node, *view, call->request(), call->response())
                      : absl::DeadlineExceededError("the deadline passed before the range was read");
      },
      [call, status] {
        if (!status->ok()) return call->Fail(PageFailure(*status, call->request().read()));
        call->Finish();
      });
}

void KvService::Serve(OutcomeCall call) {
  if (call->request().settle()) return ServeWrite(std::move(call));
  const v1::OutcomeRequest& request = call->request();
  const std::optional<Duration> time_left = LetIn(*call, Check(request));
  if (!time_left.has_value()) return;
  if (reader_.MayReadNow(v1::READ_MODE_LINEARIZABLE)) return AnswerOutcome(call);
  WaitToRead({.may_ask = !request.header().no_forwarding(), .time_left = *time_left}, call,
             [this, call] { AnswerOutcome(call); });
}

void KvService::AnswerOutcome(const OutcomeCall& call) {
  const v1::RequestHeader& header = call->request().header();
  v1::CommandResult result;
  const kv::RequestFate fate = machine_.FateOf(header.session(), header.number(), result);
  if (fate == kv::RequestFate::kUnknownSession) {
    Failure failure = NotExecuted(StatusCode::NOT_FOUND,
                                  "the session has expired or was closed; nothing is known of its "
                                  "requests any more");
    failure.detail.set_reason(v1::ErrorDetail::REASON_SESSION_UNKNOWN);
    return call->Fail(failure);
  }
  const kv::State& state = machine_.state();
  FillHeader(leadership_.self(), state.revision, state.epoch, *call->response().mutable_header());
  FillResponse(fate, result, call->response());
  FinishTelling(call, result, nullptr);
}

}  // namespace decree::rpc
