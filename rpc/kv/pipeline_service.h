#pragma once
// The receiving end of the clients' pipelines: streams over which requests come and answers go in batches, which share
// the cost that each request would have as a call of its own.
//
// The answers that gather while a batch is being written make the next one. A client that does not take its answers is
// not served on until it does. One that sends large batches has its turns like the others. One that sends more than
// this node can hold waits, in line with others: nothing more is read from a stream until all that was read is served.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "decree/v1/kv.pb.h"
#include "rpc/failure.h"
#include "rpc/loop/admission.h"
#include "rpc/loop/budget.h"
#include "rpc/loop/call.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/server_call.h"
#include "rpc/pipelined_methods.h"

namespace decree::rpc {

class PipelineService {
 public:
  class Stream;
  // Begins to serve a request that was let in, and which may be moved from. `time_left` is 0 if the client did not say.
  using Serve =
      std::function<void(const std::shared_ptr<Stream>&, Duration time_left, v1::PipelinedRequest&, Admission::Place)>;

  // All references outlive the service. It takes the streams of the port that has these methods.
  PipelineService(EventLoop& loop, Admission& admission, Budget& room, Methods& methods, Serve serve);
  ~PipelineService();

  // Call it when what came has been dealt with: it sends the answers that have gathered.
  void Flush();
  // Ends every stream as soon as what it waits for is answered.
  void Close();
  // Whether requests were read that were not served yet.
  bool has_unserved() const { return unserved_bytes_ > 0; }

  // The party that takes the answers to a stream's requests.
  static Budget::Holder& TakerOf(Stream& stream);
  static const std::string& CallerOf(const Stream& stream);
  // The answer to a request of a stream, to be filled in; `room` covers its size. Null if the stream has ended.
  static v1::PipelinedResponse* AddAnswer(Stream& stream, uint64_t id, Budget::Piece room);
  static void Refuse(Stream& stream, uint64_t id, const Failure& failure);

 private:
  void Receive(std::unique_ptr<ServerCall> call);
  // Serves the streams whose turn has come.
  void ServeOn();
  void ServeSoon() { serve_timer_.Set(loop_.Now()); }
  // Tells that what the unserved requests of all streams hold has changed: cuts off the stream with the most, if it is
  // too much.
  void OnUnserved();

  EventLoop& loop_;
  Admission& admission_;
  Budget& room_;
  const Serve serve_;
  bool is_closing_ = false;
  std::set<std::shared_ptr<Stream>> streams_;
  std::vector<std::shared_ptr<Stream>> to_flush_;
  std::vector<std::shared_ptr<Stream>> to_serve_;  // whose batch was too large for one turn
  size_t unserved_bytes_ = 0;
  Timer serve_timer_;
};

// A request that has come by a stream.
template <typename Request, typename Response>
class PipelinedCall final : public Call<Request, Response> {
 public:
  using StreamPtr = std::shared_ptr<PipelineService::Stream>;

  // `request` is moved from.
  PipelinedCall(StreamPtr stream, uint64_t id, Duration time_left, Request& request, Admission::Place place)
      : stream_(std::move(stream)), id_(id), time_left_(time_left) {
    this->Enter(std::move(place));
    this->request_.Swap(&request);
    this->taker_ = {stream_, &PipelineService::TakerOf(*stream_)};
  }

  const std::string& caller() const override { return PipelineService::CallerOf(*stream_); }
  // The time left when it arrived.
  Duration TimeLeft(Duration fallback) const override { return time_left_ == Duration::zero() ? fallback : time_left_; }
  void Finish() override {
    this->LeavePlace();
    v1::PipelinedResponse* const wire =
        PipelineService::AddAnswer(*stream_, id_, this->TakeRoom(this->response_.ByteSizeLong()));
    if (wire != nullptr) PipelinedMethodOf<Request>::In(*wire).Swap(&this->response_);
  }
  void Fail(const Failure& failure) override {
    this->LeavePlace();
    PipelineService::Refuse(*stream_, id_, failure);
  }

 private:
  const StreamPtr stream_;
  const uint64_t id_;
  const Duration time_left_;
};

}  // namespace decree::rpc
