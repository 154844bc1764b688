#include "rpc/kv/pipeline_service.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "rpc/kv/request_batch.h"
#include "rpc/loop/answer_batches.h"
#include "rpc/loop/request_bytes.h"

namespace decree::rpc {
namespace {

// How many requests of a stream are begun before the node and the other streams have their turn.
constexpr int kServedAtOnce = 1024;
// What requests may hold that were read and wait to be served, of all streams; beyond that, whoever has the most is cut
// off.
constexpr size_t kUnservedBytesMax = 32 << 20;

}  // namespace

// One stream, and the requests that have come by it.
class PipelineService::Stream final : public ServerCall::Handler, public std::enable_shared_from_this<Stream> {
 public:
  Stream(PipelineService& owner, std::unique_ptr<ServerCall> call)
      : owner_(owner), call_(std::move(call)), taker_(owner.room_, [this] { return call_->connection()->CutOff(); }) {}

  void Begin() {
    call_->Begin(shared_from_this());
    call_->Read();
  }

  Budget::Holder& taker() { return taker_; }
  const std::string& caller() const { return call_->connection()->address(); }

  // The next answer, to be filled in; `room` covers its size on the wire. Null if nobody waits for it any more.
  v1::PipelinedResponse* AddAnswer(uint64_t id, Budget::Piece room) {
    CHECK_GT(unanswered_, 0u) << "a request is answered twice";
    if (--unanswered_ == 0) call_->SetBusy(false);
    if (call_->is_ending()) return nullptr;
    NeedsFlush();
    v1::PipelinedResponse* const answer = unsent_.ForNext(std::move(room)).add_responses();
    answer->set_id(id);
    return answer;
  }

  void Flush() {
    needs_flush_ = false;
    if (call_->is_ending()) return;
    if (!call_->is_writing() && !unsent_.empty()) Write();
    if (std::exchange(must_read_, false)) call_->Read();
    EndIfDone();
  }

  // Goes on with its batch.
  void ServeOn() {
    waits_for_turn_ = false;
    if (!call_->is_ending() && !batch_.empty()) ServeBatch();
  }

  // No more requests are taken.
  void Close() { NeedsFlush(); }

  // What its requests hold that are not served yet.
  size_t unserved_bytes() const { return batch_.bytes(); }
  void CutOff() {
    call_->connection()->CutOff();
    End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many requests wait to be served"));
  }

 private:
  void OnMessage() override {
    arrived_at_ = owner_.loop_.Now();
    SetBatch(RequestBatch(call_->TakeBytes()));
    // Whoever waits already goes first.
    owner_.admission_.waiting() == 0 ? ServeBatch() : WaitForPlace();
  }

  void OnHalfClosed() override {
    has_read_all_ = true;
    NeedsFlush();
  }

  void OnWritten() override {
    unsent_.OnLeft();
    NeedsFlush();
  }

  void OnGone() override {
    unsent_.OnLeft();
    unsent_.Clear();
    SetBatch({});
    taker_.Close();
    owner_.streams_.erase(shared_from_this());
  }

  bool HasRoom() const { return taker_.HasRoom(Budget::Size::kSmall); }

  void SetBatch(RequestBatch batch) {
    owner_.unserved_bytes_ -= batch_.bytes();
    // A string that is assigned a short one keeps its memory.
    std::swap(batch_, batch);
    owner_.unserved_bytes_ += batch_.bytes();
    owner_.OnUnserved();
  }

  void ServeBatch() {
    const Duration waited = owner_.loop_.Now() - arrived_at_;
    const std::shared_ptr<Stream> self = shared_from_this();
    NeedsFlush();
    for (int i = 0; !batch_.empty(); ++i) {
      if (batch_.is_broken()) return Reject();
      if (!HasRoom()) return WaitForRoom();
      if (i == kServedAtOnce) return WaitForTurn();
      Admission::Place place = owner_.admission_.Enter(Admission::BytesOf(batch_.next_bytes()));
      if (!place) return WaitForPlace();
      if (!batch_.TakeNext(request_)) continue;
      if (unanswered_++ == 0) call_->SetBusy(true);
      owner_.serve_(self, TimeLeft(request_, waited), request_, std::move(place));
    }
    SetBatch({});
    must_read_ = true;
  }

  void Reject() {
    End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                     StrCat("what was sent is no decree.v1.RequestBatch, or one of its requests has more than ",
                            kRequestFieldsMax, " fields")));
  }

  // ---- What it may wait for; then it goes on with ServeOn ----

  void WaitForTurn() {
    if (std::exchange(waits_for_turn_, true)) return;
    owner_.to_serve_.push_back(shared_from_this());
    owner_.ServeSoon();
  }

  void WaitForPlace() {
    if (std::exchange(waits_for_turn_, true)) return;
    owner_.admission_.Await([self = shared_from_this()] { self->ServeOn(); });
  }

  void WaitForRoom() {
    if (std::exchange(waits_for_turn_, true)) return;
    taker_.Await(Budget::Size::kSmall, kTimeNever, [self = shared_from_this()](bool has_room) {
      if (has_room) self->ServeOn();
    });
  }

  // 0 would mean the default, so a time that has run out becomes the shortest one.
  static Duration TimeLeft(const v1::PipelinedRequest& request, Duration waited) {
    constexpr uint64_t kMaxUs = uint64_t{1} << 40;
    if (request.time_left_us() == 0) return Duration::zero();
    const auto left = std::chrono::microseconds(std::min(request.time_left_us(), kMaxUs)) - waited;
    return left > Duration::zero() ? Duration(left) : Duration(-1);
  }

  void Write() {
    call_->Write(unsent_.front());
    unsent_.PopFront();
  }

  void EndIfDone() {
    if (unanswered_ > 0 || call_->is_writing() || !unsent_.empty()) return;
    if (has_read_all_) {
      End(grpc::Status::OK);
    } else if (owner_.is_closing_ && batch_.empty()) {
      End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the node is shutting down"));
    }
  }

  void End(const grpc::Status& status) {
    unsent_.Clear();
    SetBatch({});
    call_->End(status);
    taker_.Close();
  }

  void NeedsFlush() {
    if (std::exchange(needs_flush_, true)) return;
    owner_.to_flush_.push_back(shared_from_this());
  }

  PipelineService& owner_;
  const std::unique_ptr<ServerCall> call_;
  RequestBatch batch_;  // of which some are to be served
  Time arrived_at_;
  v1::PipelinedRequest request_;  // that is being served
  size_t unanswered_ = 0;
  Budget::Holder taker_;
  AnswerBatches<v1::ResponseBatch> unsent_;

  bool must_read_ = false;  // with the next flush
  bool has_read_all_ = false;
  bool needs_flush_ = false;
  bool waits_for_turn_ = false;
};

PipelineService::PipelineService(EventLoop& loop, Admission& admission, Budget& room, Methods& methods, Serve serve)
    : loop_(loop), admission_(admission), room_(room), serve_(std::move(serve)), serve_timer_(loop.timers(), [this] {
        ServeOn();
      }) {
  methods.Add("/decree.v1.KV/Pipeline", [this](std::unique_ptr<ServerCall> call) { Receive(std::move(call)); });
}

PipelineService::~PipelineService() = default;

void PipelineService::Receive(std::unique_ptr<ServerCall> call) {
  Stream& stream = **streams_.insert(std::make_shared<Stream>(*this, std::move(call))).first;
  stream.Begin();
  if (is_closing_) stream.Close();
}

void PipelineService::Flush() {
  for (const std::shared_ptr<Stream>& stream : std::exchange(to_flush_, {})) stream->Flush();
}

void PipelineService::ServeOn() {
  for (const std::shared_ptr<Stream>& stream : std::exchange(to_serve_, {})) stream->ServeOn();
}

void PipelineService::OnUnserved() {
  if (unserved_bytes_ <= kUnservedBytesMax) return;
  const auto most = std::max_element(streams_.begin(), streams_.end(), [](const auto& a, const auto& b) {
    return a->unserved_bytes() < b->unserved_bytes();
  });
  (*most)->CutOff();
}

void PipelineService::Close() {
  is_closing_ = true;
  for (const std::shared_ptr<Stream>& stream : streams_) stream->Close();
}

Budget::Holder& PipelineService::TakerOf(Stream& stream) { return stream.taker(); }

const std::string& PipelineService::CallerOf(const Stream& stream) { return stream.caller(); }

v1::PipelinedResponse* PipelineService::AddAnswer(Stream& stream, uint64_t id, Budget::Piece room) {
  return stream.AddAnswer(id, std::move(room));
}

void PipelineService::Refuse(Stream& stream, uint64_t id, const Failure& failure) {
  v1::PipelinedResponse* const answer = stream.AddAnswer(id, stream.taker().Charge(failure.text.size()));
  if (answer != nullptr) *answer->mutable_error() = failure.ToRequestError();
}

}  // namespace decree::rpc
