#pragma once
// A client's pipeline without the client library, so that a test says what is sent and when.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <grpcpp/create_channel.h>

#include "decree/v1/kv.grpc.pb.h"

namespace decree::process {

inline constexpr size_t kMiB = 1 << 20;

// A stream to one node, by hand.
class RawPipeline {
 public:
  explicit RawPipeline(const std::string& endpoint) : stub_(v1::KV::NewStub(MakeChannel(endpoint))) {
    context_.set_wait_for_ready(true);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    stream_ = stub_->Pipeline(&context_);
  }

  // Adds a request to the batch that is sent next.
  v1::PipelinedRequest& Add(uint64_t id) {
    v1::PipelinedRequest& request = *batch_.add_requests();
    request.set_id(id);
    return request;
  }
  void AddPut(uint64_t id, const std::string& key, const std::string& value) {
    v1::PutRequest& put = *Add(id).mutable_put();
    put.set_key(key);
    put.set_value(value);
  }
  void AddNothing() { batch_.add_requests(); }
  // Is served also where a slow machine costs the leader its lease meanwhile.
  void AddStaleGet(uint64_t id, const std::string& key) {
    v1::PipelinedRequest& request = Add(id);
    request.set_time_left_us(60'000'000);
    v1::GetRequest& get = *request.mutable_get();
    get.set_key(key);
    get.set_read(v1::READ_MODE_STALE);
  }
  v1::PipelinedRequest& Last() { return *batch_.mutable_requests()->rbegin(); }
  v1::PutRequest& LastPut() { return *Last().mutable_put(); }
  v1::RequestHeader& HeaderOfLastPut() { return *LastPut().mutable_header(); }
  uint64_t OpenSession() {
    grpc::ClientContext context;
    v1::OpenSessionResponse response;
    EXPECT_TRUE(stub_->OpenSession(&context, v1::OpenSessionRequest(), &response).ok());
    return response.session();
  }
  bool Send() { return stream_->Write(std::exchange(batch_, {})); }

  // Reads until so many answers have come, or the stream has ended.
  std::map<uint64_t, v1::PipelinedResponse> Read(size_t count) {
    std::map<uint64_t, v1::PipelinedResponse> answers;
    v1::ResponseBatch batch;
    while (answers.size() < count && stream_->Read(&batch)) {
      last_batch_size_ = batch.responses_size();
      for (const v1::PipelinedResponse& answer : batch.responses()) {
        EXPECT_TRUE(answers.emplace(answer.id(), answer).second) << "answered twice: " << answer.id();
      }
    }
    return answers;
  }
  int last_batch_size() const { return last_batch_size_; }
  v1::PipelinedResponse ReadOne(uint64_t id) { return Read(1)[id]; }

  void SendNoMore() { stream_->WritesDone(); }
  bool HasEnded() {
    v1::ResponseBatch batch;
    return !stream_->Read(&batch);
  }
  grpc::Status Finish() { return stream_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  static std::shared_ptr<grpc::Channel> MakeChannel(const std::string& endpoint) {
    grpc::ChannelArguments arguments;
    // A connection of its own.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(16 * kMiB));
    return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
  }

  const std::unique_ptr<v1::KV::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::RequestBatch, v1::ResponseBatch>> stream_;
  v1::RequestBatch batch_;
  int last_batch_size_ = 0;
};

}  // namespace decree::process
