#include "rpc/client/pipeline.h"

#include <algorithm>

#include <glog/logging.h>

#include "rpc/failure.h"
#include "rpc/loop/tag_order.h"

namespace decree::rpc {
namespace {

// A batch is closed when it is as large as this; it may be larger by one request.
constexpr size_t kBatchBytes = 1 << 20;

uint64_t MicrosecondsUntil(Time deadline, Time now) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - now).count();
  return static_cast<uint64_t>(std::max<int64_t>(left, 1));
}

AttemptEnd ErrorIn(v1::RequestError& error) {
  return {.status = grpc::Status(static_cast<grpc::StatusCode>(error.code()), error.message()),
          .detail = std::move(*error.mutable_detail()),
          .was_sent = true};
}

}  // namespace

Pipeline::Pipeline(std::unique_ptr<v1::KV::Stub> stub, grpc::CompletionQueue& queue, const Clock& clock,
                   std::function<void(Time)> expire_at)
    : stub_(std::move(stub)), queue_(queue), clock_(clock), expire_at_(std::move(expire_at)) {}

Pipeline::~Pipeline() { CHECK(is_closed()) << "a pipeline is destroyed with its stream open"; }

// ---- Requests ----

void Pipeline::Send(Request& request, Time deadline) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = Add(request, deadline);
    FlushLocked();
  }
  if (is_first) expire_at_(deadline);
}

void Pipeline::SendLater(Request& request, Time deadline) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = Add(request, deadline);
  }
  if (is_first) expire_at_(deadline);
}

bool Pipeline::Add(Request& request, Time deadline) {
  request.id_ = next_id_++;
  request.deadline_ = deadline;
  request.was_sent_ = false;
  requests_.emplace(request.id_, &request);
  deadlines_.emplace(deadline, request.id_);
  unsent_.push_back(request.id_);
  if (deadline >= expires_) return false;
  expires_ = deadline;
  return true;
}

void Pipeline::Flush() {
  bool is_too_late = false;
  {
    const std::lock_guard lock(mutex_);
    FlushLocked();
    is_too_late = is_closing_ && state_ == State::kClosed && !requests_.empty();
  }
  if (is_too_late) FailAll({.status = grpc::Status::CANCELLED, .detail = {}, .was_sent = false});
}

void Pipeline::FlushLocked() {
  if (unsent_.empty()) return;
  if (state_ == State::kOpen && !is_writing_) return Write();
  if (state_ != State::kClosed || is_closing_) return;
  state_ = State::kOpening;
  context_ = std::make_unique<grpc::ClientContext>();
  stream_ = stub_->PrepareAsyncPipeline(context_.get(), &queue_);
  stream_->StartCall(Tag(started_));
}

Pipeline::Request* Pipeline::Take(uint64_t id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return nullptr;
  Request* const request = found->second;
  requests_.erase(found);
  deadlines_.erase({request->deadline_, id});
  return request;
}

void Pipeline::Expire() {
  const Time now = clock_.Now();
  std::vector<Request*> expired;
  Time next = kTimeNever;
  {
    const std::lock_guard lock(mutex_);
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      expired.push_back(Take(deadlines_.begin()->second));
    }
    next = expires_ = deadlines_.empty() ? kTimeNever : deadlines_.begin()->first;
  }
  if (next != kTimeNever) expire_at_(next);
  for (Request* const request : expired) {
    request->OnFailure({.status = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no answer in time"),
                        .detail = {},
                        .was_sent = request->was_sent_});
  }
}

void Pipeline::Withdraw(Request& request) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(request.id_);
    if (found == requests_.end() || found->second != &request || request.was_sent_) return;
    Take(request.id_);
  }
  request.OnFailure({.status = grpc::Status::CANCELLED, .detail = {}, .was_sent = false});
}

// ---- The stream ----

void Pipeline::OnStarted(bool ok) {
  const std::lock_guard lock(mutex_);
  --under_way_;
  if (!ok) return End();
  state_ = State::kOpen;
  stream_->Read(&answers_, Tag(read_));
  FlushLocked();
}

void Pipeline::Write() {
  v1::RequestBatch batch;
  const Time now = clock_.Now();
  size_t count = 0;
  for (size_t bytes = 0; count < unsent_.size() && bytes < kBatchBytes; ++count) {
    const auto found = requests_.find(unsent_[count]);
    if (found == requests_.end()) continue;  // It has expired.
    Request& request = *found->second;
    v1::PipelinedRequest& wire = *batch.add_requests();
    wire.set_id(request.id_);
    wire.set_time_left_us(MicrosecondsUntil(request.deadline_, now));
    request.Fill(wire);
    request.was_sent_ = true;
    bytes += wire.ByteSizeLong();
  }
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(count));
  if (batch.requests_size() == 0) return;
  is_writing_ = true;
  stream_->Write(batch, Tag(written_));
}

void Pipeline::OnWritten(bool ok) {
  const std::lock_guard lock(mutex_);
  --under_way_;
  is_writing_ = false;
  if (!ok || state_ == State::kEnding) return End();
  FlushLocked();
}

void Pipeline::OnRead(bool ok) {
  std::vector<std::pair<Request*, v1::PipelinedResponse*>> ended;
  {
    const std::lock_guard lock(mutex_);
    --under_way_;
    if (!ok || state_ == State::kEnding) return End();
    for (v1::PipelinedResponse& answer : *answers_.mutable_responses()) {
      // Nobody waits for a request that has expired.
      if (Request* const request = Take(answer.id())) ended.emplace_back(request, &answer);
    }
  }
  for (const auto& [request, answer] : ended) {
    if (answer->has_error()) {
      request->OnFailure(ErrorIn(*answer->mutable_error()));
    } else {
      request->OnAnswer(*answer);
    }
  }
  const std::lock_guard lock(mutex_);
  stream_->Read(&answers_, Tag(read_));
}

void Pipeline::End() {
  // After a failed write the read fails too, by itself and with the reason.
  state_ = State::kEnding;
  if (under_way_ == 0) stream_->Finish(&status_, Tag(finished_));
}

void Pipeline::OnFinished(bool) {
  std::optional<v1::ErrorDetail> detail;
  {
    const std::lock_guard lock(mutex_);
    --under_way_;
    detail = ReadErrorDetail(*context_);
    stream_.reset();
    context_.reset();
  }
  // A stream that ends without a reason counts as one that broke.
  if (status_.ok()) status_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the node has ended the stream");
  FailAll({.status = status_, .detail = std::move(detail), .was_sent = false});
  const std::lock_guard lock(mutex_);
  state_ = State::kClosed;
  FlushLocked();  // What came meanwhile.
  if (state_ == State::kClosed) closed_.notify_all();
}

void Pipeline::FailAll(AttemptEnd end) {
  std::vector<Request*> failed;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, request] : requests_) failed.push_back(request);
    requests_.clear();
    deadlines_.clear();
    unsent_.clear();
  }
  for (Request* const request : failed) {
    end.was_sent = request->was_sent_;
    request->OnFailure(end);
  }
}

// ---- The end ----

void Pipeline::Close() {
  const std::lock_guard lock(mutex_);
  is_closing_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

bool Pipeline::is_closed() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::kClosed;
}

void Pipeline::AwaitClosed() {
  std::unique_lock lock(mutex_);
  closed_.wait(lock, [this] { return state_ == State::kClosed; });
}

void* Pipeline::Tag(Event& event) {
  ++under_way_;
  return GiveTag(&event);
}

}  // namespace decree::rpc
