#include "rpc/kv/kv_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <glog/logging.h>

#include "rpc/kv/range_page.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;

// Calls that each method keeps waiting at gRPC.
constexpr int kPostedCalls = 128;
constexpr int kPostedFew = 16;
// For callers who do not say how long they wait, and the most that counts.
constexpr Duration kTimeLeftDefault = Seconds(5);
constexpr Duration kTimeLeftMax = Seconds(3600);
// What a request holds beside its own bytes.
constexpr size_t kOverheadBytes = 2048;
// How long a former leader may take to answer what was forwarded to it: it may just be handing over.
constexpr Duration kForwardGrace = Milliseconds(200);

// What differs between the writes' methods: their messages, and how one is taken in and sent on.
template <typename RequestType, typename ResponseType, auto kTakeIn, auto kSendOn>
struct Method {
  using Request = RequestType;
  using Response = ResponseType;
  static constexpr auto kRequest = kTakeIn;
  static constexpr auto kForward = kSendOn;
};

using Async = v1::KV::AsyncService;
using Stub = v1::KV::Stub;
using PutMethod = Method<v1::PutRequest, v1::PutResponse, &Async::RequestPut, &Stub::PrepareAsyncPut>;
using DeleteMethod = Method<v1::DeleteRequest, v1::DeleteResponse, &Async::RequestDelete,
                            &Stub::PrepareAsyncDelete>;
using SwapMethod = Method<v1::CompareAndSwapRequest, v1::CompareAndSwapResponse,
                          &Async::RequestCompareAndSwap, &Stub::PrepareAsyncCompareAndSwap>;
using OpenSessionMethod = Method<v1::OpenSessionRequest, v1::OpenSessionResponse,
                                 &Async::RequestOpenSession, &Stub::PrepareAsyncOpenSession>;
using CloseSessionMethod = Method<v1::CloseSessionRequest, v1::CloseSessionResponse,
                                  &Async::RequestCloseSession, &Stub::PrepareAsyncCloseSession>;
// With `close`, for it goes through the log then.
using SettleMethod = Method<v1::OutcomeRequest, v1::OutcomeResponse, &Async::RequestOutcome,
                            &Stub::PrepareAsyncOutcome>;

template <typename AnyCall>
size_t BytesOf(const AnyCall& call) {
  return kOverheadBytes + call.request().ByteSizeLong();
}
// The answer counts more than the request.
size_t BytesOf(const Call<v1::RangeRequest, v1::RangeResponse>&) {
  return kOverheadBytes + kPageBytes;
}

// A write of one method: the part of WriteRequest that depends on the messages' types.
template <typename Method>
class MethodWrite final : public WriteRequest {
 public:
  using Request = typename Method::Request;
  using Response = typename Method::Response;
  using CallPtr = std::shared_ptr<Call<Request, Response>>;

  MethodWrite(KvContext& context, Duration time_left, CallPtr call)
      : WriteRequest(context, time_left, call->request().header()),
        bytes_(BytesOf(*call)),
        call_(std::move(call)) {}

 private:
  std::string EncodeCommand() const override {
    return MakeCommand(call_->request()).SerializeAsString();
  }

  void StartForward(v1::KV::Stub& leader, grpc::ClientContext& call) override {
    Request request = call_->request();
    request.mutable_header()->set_forwarded(true);
    keep_ = shared_from_this();
    reader_ = (leader.*Method::kForward)(&call, request, context_.loop.queue());
    reader_->StartCall();
    reader_->Finish(&forwarded_response_, &forward_status_, context_.loop.Tag(forwarded_));
  }
  grpc::Status TakeForwardStatus() override { return std::move(forward_status_); }
  void OnForwardEvent(bool ok) {
    const std::shared_ptr<PendingRequest> keep = std::move(keep_);
    OnForwarded(ok);
  }

  void Answer(v1::CommandResult& result) override {
    FillResponse(context_.replica().self().node, result, call_->response());
    Leave();
    call_->Finish();
  }
  void AnswerForwarded() override {
    call_->response().Swap(&forwarded_response_);
    Leave();
    call_->Finish();
  }
  void Fail(const Failure& failure) override {
    Leave();
    call_->Fail(failure);
  }
  void Leave() { context_.admission.Leave(bytes_); }

  const size_t bytes_;
  const CallPtr call_;

  // Of the forwarded call. `keep_`: gRPC may still write here, even after our own deadline.
  std::shared_ptr<PendingRequest> keep_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
  Response forwarded_response_;
  grpc::Status forward_status_;
  MemberEvent<MethodWrite, &MethodWrite::OnForwardEvent> forwarded_{this};
};

// What the store of a node holds that was formatted a moment ago is not even stale.
Failure NoMember(const paxos::Replica& replica) {
  Failure failure = NotExecuted(StatusCode::UNAVAILABLE,
                                StrCat("n", replica.self().node.value(), " takes no part in the cluster: ",
                                       replica.Obstacles().front()));
  failure.detail.set_reason(v1::ErrorDetail::REASON_ASK_ANOTHER);
  return failure;
}

// Lets a request in, or refuses it at the door: true if it may go on, with the time that it has.
template <typename AnyCall>
bool Admit(KvContext& context, AnyCall& call, Duration& time_left) {
  if (const Status status = Check(call.request()); !status.ok()) {
    call.Fail(NotExecuted(StatusCode::INVALID_ARGUMENT, std::string(status.message())));
    return false;
  }
  time_left = std::min(call.TimeLeft(kTimeLeftDefault), kTimeLeftMax);
  if (time_left <= Duration::zero()) {
    call.Fail(NotExecuted(StatusCode::DEADLINE_EXCEEDED, "the deadline has passed on arrival"));
    return false;
  }
  if (!context.admission.Enter(BytesOf(call))) {
    Failure failure =
        NotExecuted(StatusCode::RESOURCE_EXHAUSTED,
                    StrCat("n", context.replica().self().node.value(), " has ",
                           context.admission.requests(), " requests of ",
                           context.admission.bytes(), " bytes without an answer, and takes no more"));
    failure.detail.set_retry_after_ms(kOverloadRetryMs);
    call.Fail(failure);
    return false;
  }
  return true;
}

}  // namespace

template <typename Method>
auto KvService::MakeWriteMethod(v1::KV::AsyncService& service) {
  using Result = UnaryMethod<typename Method::Request, typename Method::Response>;
  return Result(
      context_.loop, [&service](auto... arguments) { (service.*Method::kRequest)(arguments...); },
      [this](auto call) { OnWrite<Method>(std::move(call)); });
}

KvService::KvService(EventLoop& loop, v1::KV::AsyncService& service, paxos::Node& node,
                     kv::StateMachine& store, const Admission::Limits& admission)
    : context_(loop, node, store, admission),
      put_(MakeWriteMethod<PutMethod>(service)),
      get_(
          loop, [&service](auto... arguments) { service.RequestGet(arguments...); },
          [this](auto call) { OnRead<GetCall>(std::move(call), &KvService::AnswerGet); }),
      range_(
          loop, [&service](auto... arguments) { service.RequestRange(arguments...); },
          [this](auto call) { OnRead<RangeCall>(std::move(call), &KvService::AnswerRange); }),
      delete_(MakeWriteMethod<DeleteMethod>(service)),
      swap_(MakeWriteMethod<SwapMethod>(service)),
      open_session_(MakeWriteMethod<OpenSessionMethod>(service)),
      close_session_(MakeWriteMethod<CloseSessionMethod>(service)),
      outcome_(
          loop, [&service](auto... arguments) { service.RequestOutcome(arguments...); },
          [this](auto call) { OnOutcome(std::move(call)); }),
      pipelines_(loop, service,
                 [this](const auto& stream, Duration time_left, v1::PipelinedRequest& request) {
                   OnPipelined(stream, time_left, request);
                 }),
      forward_timer_(loop.timers(), [this] {
        for (WriteRequest* const write : context_.forwarded) write->CheckForward();
      }),
      scans_(loop) {}

void KvService::Open() {
  put_.Open(kPostedCalls);
  get_.Open(kPostedCalls);
  range_.Open(kPostedFew);
  delete_.Open(kPostedCalls);
  swap_.Open(kPostedCalls);
  open_session_.Open(kPostedFew);
  close_session_.Open(kPostedFew);
  outcome_.Open(kPostedFew);
  pipelines_.Open();
}

void KvService::AfterTurn() {
  pipelines_.Flush();
  if (leadership_changes_ == context_.node.leadership_changes()) return;
  leadership_changes_ = context_.node.leadership_changes();
  const paxos::NodeId leader = context_.replica().leader();
  if (leader != context_.replica().self().node) context_.clients.Connect(leader);
  if (!context_.forwarded.empty()) forward_timer_.Set(context_.loop.Now() + kForwardGrace);
  context_.room.TryAll();
}

void KvService::Close() {
  context_.is_closing = true;
  context_.room.TryAll();
  context_.ForwardNext();
  pipelines_.Close();
}

void KvService::OnPipelined(const std::shared_ptr<PipelineService::Stream>& stream, Duration time_left,
                            v1::PipelinedRequest& request) {
  const auto call = [&]<typename Request>(Request& message, auto response) {
    return std::make_shared<PipelinedCall<Request, decltype(response)>>(stream, request.id(), time_left,
                                                                        message);
  };
  switch (request.request_case()) {
    case v1::PipelinedRequest::kPut:
      return OnWrite<PutMethod>(call(*request.mutable_put(), v1::PutResponse()));
    case v1::PipelinedRequest::kGet:
      return OnRead<GetCall>(call(*request.mutable_get(), v1::GetResponse()), &KvService::AnswerGet);
    case v1::PipelinedRequest::kDelete:
      return OnWrite<DeleteMethod>(call(*request.mutable_delete_(), v1::DeleteResponse()));
    case v1::PipelinedRequest::kCompareAndSwap:
      return OnWrite<SwapMethod>(
          call(*request.mutable_compare_and_swap(), v1::CompareAndSwapResponse()));
    case v1::PipelinedRequest::REQUEST_NOT_SET:
      return PipelineService::Refuse(
          *stream, request.id(),
          NotExecuted(StatusCode::UNIMPLEMENTED, "the pipelined request is of no kind known here"));
  }
}

template <typename Method>
void KvService::OnWrite(
    std::shared_ptr<Call<typename Method::Request, typename Method::Response>> call) {
  Duration time_left;
  if (!Admit(context_, *call, time_left)) return;
  std::make_shared<MethodWrite<Method>>(context_, time_left, std::move(call))->Try();
}

template <typename AnyCall>
void KvService::ReadThenAnswer(std::shared_ptr<AnyCall> call, Duration time_left, bool may_ask,
                               void (KvService::*answer)(const std::shared_ptr<AnyCall>&)) {
  if (context_.node.ReadUnderLease()) return (this->*answer)(call);
  std::make_shared<ReadRequest>(
      context_, time_left, may_ask, [this, call, answer] { (this->*answer)(call); },
      [this, call](const Failure& failure) {
        context_.admission.Leave(BytesOf(*call));
        call->Fail(failure);
      })
      ->Try();
}

template <typename AnyCall>
void KvService::OnRead(std::shared_ptr<AnyCall> call,
                       void (KvService::*answer)(const std::shared_ptr<AnyCall>&)) {
  Duration time_left;
  if (!Admit(context_, *call, time_left)) return;
  if (call->request().read() == v1::READ_MODE_STALE) {
    if (!context_.replica().takes_part()) {
      context_.admission.Leave(BytesOf(*call));
      return call->Fail(NoMember(context_.replica()));
    }
    ++stale_reads_;
    return (this->*answer)(call);
  }
  const bool may_ask = !call->request().no_forwarding();
  ReadThenAnswer(std::move(call), time_left, may_ask, answer);
}

void KvService::OnOutcome(std::shared_ptr<OutcomeCall> call) {
  if (call->request().close()) return OnWrite<SettleMethod>(std::move(call));
  Duration time_left;
  if (!Admit(context_, *call, time_left)) return;
  const bool may_ask = !call->request().header().no_forwarding();
  ReadThenAnswer(std::move(call), time_left, may_ask, &KvService::AnswerOutcome);
}

void KvService::AnswerOutcome(const std::shared_ptr<OutcomeCall>& call) {
  context_.admission.Leave(BytesOf(*call));
  const v1::RequestHeader& asked = call->request().header();
  const std::shared_ptr<const kv::View> view = context_.store.view();
  kv::RequestFate fate = view->FateOf(asked.session(), asked.number());
  if (fate.kind == kv::RequestFate::Kind::kUnknownSession) {
    Failure failure = NotExecuted(StatusCode::NOT_FOUND,
                                  "the session has expired or was closed; nothing is known of its "
                                  "requests any more");
    failure.detail.set_reason(v1::ErrorDetail::REASON_SESSION_UNKNOWN);
    return call->Fail(failure);
  }
  FillHeader(*call->response().mutable_header());
  FillResponse(fate, call->response());
  call->Finish();
}

void KvService::FillHeader(v1::ResponseHeader& header) const {
  header.set_node(context_.replica().self().node.value());
  header.set_revision(context_.store.state().revision);
  header.set_store_epoch(context_.store.state().epoch);
}

void KvService::AnswerGet(const std::shared_ptr<GetCall>& call) {
  context_.admission.Leave(BytesOf(*call));
  const std::string& key = call->request().key();
  v1::GetResponse& response = call->response();
  FillHeader(*response.mutable_header());
  response.set_read(call->request().read());
  if (const std::optional<kv::KeyRecord> head = context_.store.Get(key)) {
    response.set_found(true);
    *response.mutable_kv() = kv::ToKeyValue(key, *head);
  }
  call->Finish();
}

// The view is that of now; what takes long is to read so much of it.
void KvService::AnswerRange(const std::shared_ptr<RangeCall>& call) {
  const auto status = std::make_shared<Status>();
  scans_.Run(
      [call, view = context_.store.view(), status] {
        // It may have waited behind others for longer than its caller.
        *status = call->TimeLeft(kTimeLeftDefault) > Duration::zero()
                      ? FillPage(*view, call->request(), call->response())
                      : absl::DeadlineExceededError("the deadline passed before the range was read");
      },
      [this, call, status] {
        context_.admission.Leave(BytesOf(*call));
        if (!status->ok()) return call->Fail(PageFailure(*status, call->request().read()));
        call->response().mutable_header()->set_node(context_.replica().self().node.value());
        call->Finish();
      });
}

}  // namespace decree::rpc
