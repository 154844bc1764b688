#pragma once
// What a client may meet at an address: a node that does what the test says, or nobody.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <glog/logging.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "decree/v1/kv.grpc.pb.h"
#include "paxos/base/status.h"
#include "rpc/failure.h"

namespace decree::rpc {

// Lets others connect, and never says a word: as a machine that has stopped.
class SilentPort {
 public:
  SilentPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    PCHECK(bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    PCHECK(listen(socket_, 64) == 0);
    PCHECK(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { close(socket_); }

  std::string address() const { return StrCat("127.0.0.1:", port_); }

 private:
  const int socket_;
  uint16_t port_ = 0;
};

// Keeps every batch, and answers as it is told.
class FakeNode final : public v1::KV::Service {
 public:
  FakeNode() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeNode() override { Stop(); }

  std::string address() const { return StrCat("127.0.0.1:", port_); }
  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  v1::RequestBatch AwaitBatch() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return !batches_.empty(); });
    v1::RequestBatch batch = std::move(batches_.front());
    batches_.pop_front();
    return batch;
  }
  void Answer(const v1::ResponseBatch& batch) {
    const std::lock_guard lock(mutex_);
    stream_->Write(batch);
  }
  void AnswerPut(uint64_t id) {
    v1::ResponseBatch batch;
    v1::PipelinedResponse& answer = *batch.add_responses();
    answer.set_id(id);
    answer.mutable_put()->set_version(id);
    Answer(batch);
  }
  // From now on every request is answered as it comes, as if it were a put.
  void AnswerAll() {
    const std::lock_guard lock(mutex_);
    answers_all_ = true;
  }
  // Every request that comes is told to ask another node, or no more.
  void BeOfNoUse(bool of_no_use) {
    const std::lock_guard lock(mutex_);
    is_of_no_use_ = of_no_use;
    answers_all_ = true;
  }
  // From now on every stream is ended before anything is read, as by a node that has too many calls.
  void RefuseStreams() {
    const std::lock_guard lock(mutex_);
    refuses_streams_ = true;
  }
  int requests() const { return requests_; }
  // Until now whoever opens a session has waited.
  void LetSessionsOpen() {
    const std::lock_guard lock(mutex_);
    opens_sessions_ = true;
    came_.notify_all();
  }
  // Ends the stream that is open.
  void Break() {
    const std::lock_guard lock(mutex_);
    context_->TryCancel();
  }

 private:
  using Stream = grpc::ServerReaderWriter<v1::ResponseBatch, v1::RequestBatch>;

  grpc::Status OpenSession(grpc::ServerContext* context, const v1::OpenSessionRequest*,
                           v1::OpenSessionResponse* response) override {
    std::unique_lock lock(mutex_);
    while (!opens_sessions_ && !context->IsCancelled()) came_.wait_for(lock, std::chrono::milliseconds(10));
    response->set_session(7);
    return grpc::Status::OK;
  }

  grpc::Status Pipeline(grpc::ServerContext* context, Stream* stream) override {
    {
      const std::lock_guard lock(mutex_);
      if (refuses_streams_) {
        const Failure why = AskAnother("too many calls");
        context->AddTrailingMetadata(kErrorDetailKey, why.detail.SerializeAsString());
        return why.ToStatus();
      }
      context_ = context;
      stream_ = stream;
    }
    for (v1::RequestBatch batch; stream->Read(&batch);) {
      const std::lock_guard lock(mutex_);
      requests_ += batch.requests_size();
      if (answers_all_) {
        AnswerPuts(batch, *stream);
      } else {
        batches_.push_back(batch);
        came_.notify_all();
      }
    }
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken on purpose");
  }

  void AnswerPuts(const v1::RequestBatch& batch, Stream& stream) {
    v1::ResponseBatch answers;
    for (const v1::PipelinedRequest& request : batch.requests()) {
      v1::PipelinedResponse& answer = *answers.add_responses();
      answer.set_id(request.id());
      if (is_of_no_use_) {
        answer.mutable_error()->set_code(grpc::StatusCode::UNAVAILABLE);
        answer.mutable_error()->set_message("no quorum; the write was not carried out");
        answer.mutable_error()->mutable_detail()->set_outcome(v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
        answer.mutable_error()->mutable_detail()->set_reason(v1::ErrorDetail::REASON_ASK_ANOTHER);
      } else {
        answer.mutable_put()->set_version(request.id());
      }
    }
    stream.Write(answers);
  }

  std::mutex mutex_;
  std::condition_variable came_;
  bool answers_all_ = false;
  bool is_of_no_use_ = false;
  bool refuses_streams_ = false;
  bool opens_sessions_ = false;
  std::atomic<int> requests_{0};
  std::deque<v1::RequestBatch> batches_;
  grpc::ServerContext* context_ = nullptr;
  Stream* stream_ = nullptr;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace decree::rpc
