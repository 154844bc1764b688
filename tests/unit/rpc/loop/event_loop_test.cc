#include "rpc/loop/event_loop.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "decree/v1/kv.grpc.pb.h"
#include "paxos/base/status.h"
#include "rpc/loop/shared_queue.h"
#include "tests/unit/rpc/loop/loop_fixture.h"

namespace decree::rpc {
namespace {

class SteadyClock final : public Clock {
 public:
  Time Now() const override { return Time(std::chrono::steady_clock::now().time_since_epoch()); }
};

// A server, and clients that use its loop: no other thread looks at their sockets.
class EventLoopTest : public testing::Test {
 protected:
  EventLoopTest() {
    int port = 0;
    builder_.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder_.RegisterService(&service_);
    own_queue_ = builder_.AddCompletionQueue();
    loop_ = std::make_unique<EventLoop>(clock_);
    server_ = BuildOn(*loop_, builder_);
    address_ = StrCat("127.0.0.1:", port);
  }
  ~EventLoopTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    while (loop_->pending() > 0) Turn();
    own_queue_->Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (own_queue_->Next(&tag, &ok)) continue;
  }

  void Turn() { loop_->Poll(clock_.Now() + Milliseconds(1)); }
  void Await(const Flag& flag) {
    while (!flag.is_set()) Turn();
  }

  // Both ends of a stream on a connection of its own.
  struct Stream {
    explicit Stream(EventLoopTest& test) : stub(v1::KV::NewStub(NewChannel(test.address_))) {
      Flag has_come;
      test.service_.RequestPipeline(&server_context, &server, test.loop_->queue(), test.loop_->queue(),
                                    test.loop_->Tag(has_come));
      Flag has_begun;
      client = stub->AsyncPipeline(&client_context, test.loop_->queue(), test.loop_->Tag(has_begun));
      test.Await(has_come);
      test.Await(has_begun);
    }
    void End(EventLoopTest& test) {
      Flag server_ended;
      server.Finish(grpc::Status::OK, test.loop_->Tag(server_ended));
      test.Await(server_ended);
      Flag client_ended;
      client_context.TryCancel();
      grpc::Status status;
      client->Finish(&status, test.loop_->Tag(client_ended));
      test.Await(client_ended);
    }

    static std::shared_ptr<grpc::Channel> NewChannel(const std::string& address) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    }

    std::unique_ptr<v1::KV::Stub> stub;
    grpc::ServerContext server_context;
    grpc::ServerAsyncReaderWriter<v1::ResponseBatch, v1::RequestBatch> server{&server_context};
    grpc::ClientContext client_context;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::RequestBatch, v1::ResponseBatch>> client;
  };

  SteadyClock clock_;
  grpc::ServerBuilder builder_;
  v1::KV::AsyncService service_;
  std::string address_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<grpc::ServerCompletionQueue> own_queue_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(EventLoopTest, WritesInEachTurnDoNotKeepItFromHearingOthers) {
  constexpr int kTurns = 1000;
  Stream unread(*this);
  Stream other(*this);
  v1::RequestBatch batch;
  Flag heard;
  other.server.Read(&batch, loop_->Tag(heard));
  Flag told;
  other.client->Write({}, loop_->Tag(told));

  int turns = 0;
  for (; turns < kTurns && !heard.is_set(); ++turns) {
    // A write of a few bytes ends at once, so something has happened in each turn.
    Flag written;
    unread.server.Write({}, loop_->Tag(written));
    loop_->Poll(clock_.Now());
    ASSERT_TRUE(written.is_set());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(heard.is_set()) << "not in " << turns << " turns";
  Await(heard);
  Await(told);
  unread.End(*this);
  other.End(*this);
}

}  // namespace
}  // namespace decree::rpc
