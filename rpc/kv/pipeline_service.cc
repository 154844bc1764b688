#include "rpc/kv/pipeline_service.h"

#include <algorithm>

#include <glog/logging.h>

#include "rpc/loop/answer_batches.h"
#include "rpc/loop/server_stream.h"

namespace decree::rpc {
namespace {

// How many requests of a stream are begun before the node and the other streams have their turn.
constexpr int kServedAtOnce = 1024;

}  // namespace

// One stream, and the requests that have come by it.
class PipelineService::Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(PipelineService& owner)
      : owner_(owner), stream_(owner.loop_, *this), taker_(owner.room_, [this] { return connection_->CutOff(); }) {}

  void Await() {
    stream_.Await(shared_from_this(), [this](auto... arguments) {
      owner_.service_.RequestPipeline(arguments...);
    });
  }

  AnswerRoom::Taker& taker() { return taker_; }
  const std::string& caller() const { return connection_->address(); }

  // Where the next answer goes; `room` is that of its size on the wire. Null if nobody waits for it any more.
  v1::PipelinedResponse* AddAnswer(uint64_t id, AnswerRoom::Piece room) {
    CHECK_GT(unanswered_, 0u) << "a request is answered twice";
    --unanswered_;
    connection_->OnAnswered();
    if (stream_.is_ending()) return nullptr;
    NeedsFlush();
    v1::PipelinedResponse* const answer = unsent_.ForNext(std::move(room)).add_responses();
    answer->set_id(id);
    return answer;
  }

  void Flush() {
    needs_flush_ = false;
    if (stream_.is_ending()) return;
    if (!stream_.is_writing() && !unsent_.empty()) Write();
    if (std::exchange(must_read_, false)) stream_.Read();
    EndIfDone();
  }

  // Goes on with its batch.
  void ServeOn() {
    waits_for_turn_ = false;
    if (!stream_.is_ending() && HasUnserved()) ServeBatch();
  }

  // No more requests are taken.
  void Close() {
    if (stream_.has_arrived()) NeedsFlush();
  }

 private:
  using Wire = ServerStream<Stream, grpc::ServerAsyncReaderWriter<v1::ResponseBatch, v1::RequestBatch>>;
  friend Wire;

  void OnArrived() {
    owner_.Post();
    connection_ = owner_.callers_.Find(stream_.caller());
    must_read_ = true;
    NeedsFlush();
  }

  void OnMessage() {
    arrived_at_ = owner_.loop_.Now();
    next_ = 0;
    ServeBatch();
  }

  void OnNoMore() {
    has_read_all_ = true;
    NeedsFlush();
  }

  void OnWritten(bool ok) {
    unsent_.OnLeft();
    if (!ok) return End(grpc::Status::CANCELLED);  // The client is gone.
    NeedsFlush();
  }

  void OnGone() { owner_.streams_.erase(shared_from_this()); }

  // `next_` may lie behind the end of a batch whose memory has been given back.
  bool HasUnserved() const { return next_ < stream_.received().requests_size(); }
  bool HasRoom() const { return taker_.HasRoom(AnswerRoom::Size::kSmall); }

  void ServeBatch() {
    v1::RequestBatch& batch = stream_.received();
    const Duration waited = owner_.loop_.Now() - arrived_at_;
    const std::shared_ptr<Stream> self = shared_from_this();
    for (int i = 0; i < kServedAtOnce && HasUnserved() && HasRoom(); ++i, ++next_) {
      v1::PipelinedRequest& request = *batch.mutable_requests(next_);
      ++unanswered_;
      connection_->OnRequest();
      owner_.serve_(self, TimeLeft(request, waited), request);
    }
    NeedsFlush();
    if (HasUnserved()) {
      HasRoom() ? WaitForTurn() : WaitForRoom();
      return;
    }
    must_read_ = true;
    // Protobuf keeps the memory of a message for the next one; of a large one that would be for long.
    if (next_ > kServedAtOnce) batch = {};
  }

  void WaitForTurn() {
    if (std::exchange(waits_for_turn_, true)) return;
    owner_.to_serve_.push_back(shared_from_this());
    owner_.serve_timer_.Set(owner_.loop_.Now());
  }

  void WaitForRoom() {
    if (std::exchange(waits_for_turn_, true)) return;
    taker_.Await(AnswerRoom::Size::kSmall, kTimeNever, [self = shared_from_this()](bool has_room) {
      if (has_room) self->ServeOn();
    });
  }

  // Of a time that has run out, the least that counts as one.
  static Duration TimeLeft(const v1::PipelinedRequest& request, Duration waited) {
    constexpr uint64_t kMaxUs = uint64_t{1} << 40;
    if (request.time_left_us() == 0) return Duration::zero();
    const auto left = std::chrono::microseconds(std::min(request.time_left_us(), kMaxUs)) - waited;
    return left > Duration::zero() ? Duration(left) : Duration(-1);
  }

  void Write() {
    stream_.Write(unsent_.front());
    unsent_.PopFront();
  }

  void EndIfDone() {
    if (unanswered_ > 0 || stream_.is_writing() || !unsent_.empty()) return;
    if (has_read_all_) {
      End(grpc::Status::OK);
    } else if (owner_.is_closing_ && !HasUnserved()) {
      End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the node is shutting down"));
    }
  }

  void End(const grpc::Status& status) {
    unsent_.Clear();
    stream_.End(status);
    taker_.Close();
  }

  void NeedsFlush() {
    if (std::exchange(needs_flush_, true)) return;
    owner_.to_flush_.push_back(shared_from_this());
  }

  PipelineService& owner_;
  Wire stream_;
  std::shared_ptr<Callers::Connection> connection_;  // once it has arrived
  int next_ = 0;  // of the requests received, to be served
  Time arrived_at_;
  size_t unanswered_ = 0;
  AnswerRoom::Taker taker_;
  AnswerBatches<v1::ResponseBatch> unsent_;

  bool must_read_ = false;  // with the next flush
  bool has_read_all_ = false;
  bool needs_flush_ = false;
  bool waits_for_turn_ = false;
};

PipelineService::PipelineService(EventLoop& loop, v1::KV::AsyncService& service, AnswerRoom& room, Callers& callers,
                                 Serve serve)
    : loop_(loop),
      service_(service),
      room_(room),
      callers_(callers),
      serve_(std::move(serve)),
      serve_timer_(loop.timers(), [this] { ServeOn(); }) {}

PipelineService::~PipelineService() = default;

void PipelineService::Open() { Post(); }

void PipelineService::Post() {
  (*streams_.insert(std::make_shared<Stream>(*this)).first)->Await();
}

void PipelineService::Flush() {
  for (const std::shared_ptr<Stream>& stream : std::exchange(to_flush_, {})) stream->Flush();
}

void PipelineService::ServeOn() {
  for (const std::shared_ptr<Stream>& stream : std::exchange(to_serve_, {})) stream->ServeOn();
}

void PipelineService::Close() {
  is_closing_ = true;
  for (const std::shared_ptr<Stream>& stream : streams_) stream->Close();
}

AnswerRoom::Taker& PipelineService::TakerOf(Stream& stream) { return stream.taker(); }

const std::string& PipelineService::CallerOf(const Stream& stream) { return stream.caller(); }

v1::PipelinedResponse* PipelineService::AddAnswer(Stream& stream, uint64_t id, AnswerRoom::Piece room) {
  return stream.AddAnswer(id, std::move(room));
}

void PipelineService::Refuse(Stream& stream, uint64_t id, const Failure& failure) {
  v1::PipelinedResponse* const answer = stream.AddAnswer(id, stream.taker().Charge(failure.text.size()));
  if (answer != nullptr) *answer->mutable_error() = failure.ToRequestError();
}

}  // namespace decree::rpc
