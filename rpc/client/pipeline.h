#pragma once
// A stream to one node over which requests go and answers come in batches, which share the cost that each request would
// have as a call of its own.
//
//   closed ──first request──► opening ──► open ──any failure──► ending ──► closed
//
// At most one write is under way; the requests that come meanwhile make the next batch. When the stream
// breaks, all requests under way fail; the next one opens it anew.
//
// Requests are sent from any thread. Everything else happens on the thread that takes events off the
// queue.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/status.h>

#include "decree/v1/kv.grpc.pb.h"
#include "paxos/base/time.h"
#include "rpc/client/attempt_error.h"
#include "rpc/loop/event.h"

namespace decree::rpc {

class Pipeline {
 public:
  // One request under way. It must live until it is told its end, on the queue's thread.
  class Request {
   public:
    virtual ~Request() = default;
    // Fills in the request itself. Called once or never, under the pipeline's lock.
    virtual void Fill(v1::PipelinedRequest& wire) = 0;
    // One of these tells the end. The answer is no error, and may be moved from.
    virtual void OnAnswer(v1::PipelinedResponse& answer) = 0;
    virtual void OnFailure(AttemptEnd end) = 0;

   private:
    friend class Pipeline;
    uint64_t id_ = 0;
    Time deadline_;
    bool was_sent_ = false;
  };

  // `queue` outlives the pipeline. `expire_at` is told when `Expire` is to be called next, on whatever
  // thread sends.
  Pipeline(std::unique_ptr<v1::KV::Stub> stub, grpc::CompletionQueue& queue, const Clock& clock,
           std::function<void(Time)> expire_at);
  // It must be closed, or never have been used.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Sends the request at once, or with the next write if one is under way. Fails it at `deadline`. Any thread.
  void Send(Request& request, Time deadline);
  // Sends the request with the next `Flush`.
  void SendLater(Request& request, Time deadline);

  // ---- On the queue's thread ----

  // Call it when the events that had gathered have been handled.
  void Flush();
  // Fails the requests whose deadline has passed.
  void Expire();
  // Fails the request with CANCELLED if it has not been sent yet.
  void Withdraw(Request& request);

  // ---- The end; any thread ----

  // Breaks the stream for good; what is under way fails with CANCELLED, and what is sent yet, with the next
  // `Flush`.
  void Close();
  bool is_closed() const;
  // Waits for the end, on another thread than the queue's.
  void AwaitClosed();

 private:
  enum class State { kClosed, kOpening, kOpen, kEnding };
  using Stream = grpc::ClientAsyncReaderWriter<v1::RequestBatch, v1::ResponseBatch>;

  void OnStarted(bool ok);
  void OnWritten(bool ok);
  void OnRead(bool ok);
  void OnFinished(bool ok);
  void FailAll(AttemptEnd end);

  // ---- Under the lock ----

  // True if `expire_at_` must be told of the deadline.
  bool Add(Request& request, Time deadline);
  void FlushLocked();
  void Write();
  // Lets the operations under way come back, then takes the status.
  void End();
  void* Tag(Event& event);
  Request* Take(uint64_t id);

  const std::unique_ptr<v1::KV::Stub> stub_;
  grpc::CompletionQueue& queue_;
  const Clock& clock_;
  const std::function<void(Time)> expire_at_;

  mutable std::mutex mutex_;
  std::condition_variable closed_;
  State state_ = State::kClosed;
  bool is_closing_ = false;
  bool is_writing_ = false;
  int under_way_ = 0;  // operations of this stream that have not come back
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, Request*> requests_;  // By id: all that have not ended.
  std::set<std::pair<Time, uint64_t>> deadlines_;    // of the same
  Time expires_ = kTimeNever;                        // what `expire_at_` was told last
  std::vector<uint64_t> unsent_;                     // Some may have ended.

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
  v1::ResponseBatch answers_;  // the queue's thread only
  grpc::Status status_;

  MemberEvent<Pipeline, &Pipeline::OnStarted> started_{this};
  MemberEvent<Pipeline, &Pipeline::OnWritten> written_{this};
  MemberEvent<Pipeline, &Pipeline::OnRead> read_{this};
  MemberEvent<Pipeline, &Pipeline::OnFinished> finished_{this};
};

}  // namespace decree::rpc
