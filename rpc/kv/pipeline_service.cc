#include "rpc/kv/pipeline_service.h"

#include <algorithm>
#include <deque>

#include <glog/logging.h>

namespace decree::rpc {
namespace {

// A batch of answers is closed when it is as large as this; it may be larger by one answer.
constexpr size_t kBatchBytes = 1 << 20;
// With so much unsent, a stream's further requests wait.
constexpr size_t kUnsentBytesMax = 4 << 20;
// What an answer holds in memory beside its bytes.
constexpr size_t kOverheadBytes = 128;
// How many requests of a stream are begun before the node and the other streams have their turn.
constexpr int kServedAtOnce = 1024;

v1::PutResponse* FieldOf(const v1::PutResponse&, v1::PipelinedResponse& answer) {
  return answer.mutable_put();
}
v1::GetResponse* FieldOf(const v1::GetResponse&, v1::PipelinedResponse& answer) {
  return answer.mutable_get();
}
v1::DeleteResponse* FieldOf(const v1::DeleteResponse&, v1::PipelinedResponse& answer) {
  return answer.mutable_delete_();
}
v1::CompareAndSwapResponse* FieldOf(const v1::CompareAndSwapResponse&,
                                    v1::PipelinedResponse& answer) {
  return answer.mutable_compare_and_swap();
}

}  // namespace

// One stream, from the time it is waited for until its last event has come back and its last request has
// ended.
class PipelineService::Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(PipelineService& owner) : owner_(owner), stream_(&context_) {}

  void Post() {
    auto* const queue = owner_.loop_.queue();
    owner_.service_.RequestPipeline(&context_, &stream_, queue, queue, Tag(arrived_));
  }

  // Where the next answer goes; `bytes` is its size on the wire. Null if nobody waits for it any more.
  v1::PipelinedResponse* AddAnswer(uint64_t id, size_t bytes) {
    CHECK_GT(unanswered_, 0u) << "a request is answered twice";
    --unanswered_;
    if (is_ending_) return nullptr;
    bytes += kOverheadBytes;
    if (unsent_.empty() || unsent_.back().bytes >= kBatchBytes) unsent_.emplace_back();
    unsent_.back().bytes += bytes;
    unsent_bytes_ += bytes;
    NeedsFlush();
    v1::PipelinedResponse* const answer = unsent_.back().message.add_responses();
    answer->set_id(id);
    return answer;
  }

  void Flush() {
    needs_flush_ = false;
    if (is_ending_) return;
    if (!is_writing_ && !unsent_.empty()) Write();
    if (must_read_) {
      must_read_ = false;
      stream_.Read(&batch_, Tag(read_));
    }
    EndIfDone();
  }

  // Goes on with its batch.
  void ServeOn() {
    waits_for_turn_ = false;
    if (!is_ending_ && HasUnserved()) ServeBatch();
  }

  // No more requests are taken.
  void Close() {
    if (has_arrived_) NeedsFlush();
  }

  std::list<std::shared_ptr<Stream>>::iterator position;

 private:
  struct Batch {
    v1::ResponseBatch message;
    size_t bytes = 0;
  };

  void OnArrived(bool ok) {
    --under_way_;
    if (!ok) return RemoveIfDone();  // The server is closing.
    has_arrived_ = true;
    owner_.Post();
    must_read_ = true;
    NeedsFlush();
  }

  void OnRead(bool ok) {
    --under_way_;
    if (is_ending_) return RemoveIfDone();
    if (!ok) {  // The client has no more, or is gone.
      has_read_all_ = true;
      return NeedsFlush();
    }
    arrived_at_ = owner_.loop_.Now();
    next_ = 0;
    ServeBatch();
  }

  // `next_` may lie behind the end of a batch whose memory has been given back.
  bool HasUnserved() const { return next_ < batch_.requests_size(); }
  bool HasRoom() const { return unsent_bytes_ < kUnsentBytesMax; }

  void ServeBatch() {
    const Duration waited = owner_.loop_.Now() - arrived_at_;
    const std::shared_ptr<Stream> self = shared_from_this();
    for (int i = 0; i < kServedAtOnce && HasUnserved() && HasRoom(); ++i, ++next_) {
      v1::PipelinedRequest& request = *batch_.mutable_requests(next_);
      ++unanswered_;
      owner_.serve_(self, TimeLeft(request, waited), request);
    }
    NeedsFlush();
    if (HasUnserved()) {
      if (HasRoom()) WaitForTurn();
      return;
    }
    must_read_ = true;
    // Protobuf keeps the memory of a message for the next one; of a large one that would be for long.
    if (next_ > kServedAtOnce) batch_ = {};
  }

  void WaitForTurn() {
    if (std::exchange(waits_for_turn_, true)) return;
    owner_.to_serve_.push_back(shared_from_this());
    owner_.serve_timer_.Set(owner_.loop_.Now());
  }

  // Of a time that has run out, the least that counts as one.
  static Duration TimeLeft(const v1::PipelinedRequest& request, Duration waited) {
    constexpr uint64_t kMaxUs = uint64_t{1} << 40;
    if (request.time_left_us() == 0) return Duration::zero();
    const auto left = std::chrono::microseconds(std::min(request.time_left_us(), kMaxUs)) - waited;
    return left > Duration::zero() ? Duration(left) : Duration(-1);
  }

  void Write() {
    is_writing_ = true;
    stream_.Write(unsent_.front().message, Tag(written_));
    // It has been copied out.
    unsent_bytes_ -= unsent_.front().bytes;
    unsent_.pop_front();
  }

  void OnWritten(bool ok) {
    --under_way_;
    is_writing_ = false;
    if (is_ending_) return RemoveIfDone();
    if (!ok) return End(grpc::Status::CANCELLED);  // The client is gone.
    if (HasUnserved()) WaitForTurn();
    NeedsFlush();
  }

  void EndIfDone() {
    if (unanswered_ > 0 || is_writing_ || !unsent_.empty()) return;
    if (has_read_all_) {
      End(grpc::Status::OK);
    } else if (owner_.is_closing_ && !HasUnserved()) {
      End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the node is shutting down"));
    }
  }

  void End(const grpc::Status& status) {
    is_ending_ = true;
    unsent_.clear();
    stream_.Finish(status, Tag(finished_));
  }

  void OnFinished(bool) {
    --under_way_;
    RemoveIfDone();
  }

  void RemoveIfDone() {
    if (under_way_ == 0) owner_.streams_.erase(position);
  }

  void NeedsFlush() {
    if (std::exchange(needs_flush_, true)) return;
    owner_.to_flush_.push_back(shared_from_this());
  }

  void* Tag(Event& event) {
    ++under_way_;
    return owner_.loop_.Tag(event);
  }

  PipelineService& owner_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::ResponseBatch, v1::RequestBatch> stream_;

  v1::RequestBatch batch_;
  int next_ = 0;  // of the batch's requests, to be served
  Time arrived_at_;
  size_t unanswered_ = 0;
  std::deque<Batch> unsent_;
  size_t unsent_bytes_ = 0;

  bool has_arrived_ = false;
  bool must_read_ = false;  // with the next flush
  bool has_read_all_ = false;
  bool is_writing_ = false;
  bool needs_flush_ = false;
  bool waits_for_turn_ = false;
  bool is_ending_ = false;
  int under_way_ = 0;

  MemberEvent<Stream, &Stream::OnArrived> arrived_{this};
  MemberEvent<Stream, &Stream::OnRead> read_{this};
  MemberEvent<Stream, &Stream::OnWritten> written_{this};
  MemberEvent<Stream, &Stream::OnFinished> finished_{this};
};

PipelineService::PipelineService(EventLoop& loop, v1::KV::AsyncService& service, Serve serve)
    : loop_(loop),
      service_(service),
      serve_(std::move(serve)),
      serve_timer_(loop.timers(), [this] { ServeOn(); }) {}

PipelineService::~PipelineService() = default;

void PipelineService::Open() { Post(); }

void PipelineService::Post() {
  const auto stream = streams_.insert(streams_.end(), std::make_shared<Stream>(*this));
  (*stream)->position = stream;
  (*stream)->Post();
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

template <typename Response>
void PipelineService::Answer(Stream& stream, uint64_t id, Response& response) {
  v1::PipelinedResponse* const answer = stream.AddAnswer(id, response.ByteSizeLong());
  if (answer != nullptr) FieldOf(response, *answer)->Swap(&response);
}
template void PipelineService::Answer(Stream&, uint64_t, v1::PutResponse&);
template void PipelineService::Answer(Stream&, uint64_t, v1::GetResponse&);
template void PipelineService::Answer(Stream&, uint64_t, v1::DeleteResponse&);
template void PipelineService::Answer(Stream&, uint64_t, v1::CompareAndSwapResponse&);

void PipelineService::Refuse(Stream& stream, uint64_t id, const Failure& failure) {
  v1::PipelinedResponse* const answer = stream.AddAnswer(id, failure.text.size());
  if (answer == nullptr) return;
  v1::RequestError& error = *answer->mutable_error();
  error.set_code(failure.code);
  error.set_message(failure.text);
  *error.mutable_detail() = failure.detail;
}

}  // namespace decree::rpc
