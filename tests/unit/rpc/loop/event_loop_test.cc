#include "rpc/loop/event_loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "decree/v1/kv.grpc.pb.h"
#include "paxos/base/status.h"
#include "rpc/loop/held_writes.h"
#include "rpc/loop/paced_reads.h"
#include "rpc/loop/shared_queue.h"
#include "tests/unit/rpc/loop/loop_fixture.h"
#include "tests/unit/rpc/loop/tcp_pair.h"

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
    port_ = static_cast<uint16_t>(port);
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
  uint16_t port_ = 0;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<grpc::ServerCompletionQueue> own_queue_;
  std::unique_ptr<grpc::Server> server_;
};

const std::string kTheirSettings("\0\0\0\4\0\0\0\0\0", 9);
const std::string kTheirSettingsTaken("\0\0\0\4\1\0\0\0\0", 9);
const std::string kTheirPing("\0\0\x08\6\0\0\0\0\0any text", 17);
const std::string kPingAnswered("\0\0\x08\6\1\0\0\0\0any text", 17);

// A connection on which nothing is said of which the loop is told.
class RawConnection {
 public:
  explicit RawConnection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    Send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + kTheirSettings);
  }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection() { close(fd_); }

  void Ping() { Send(kTheirPing); }
  // Whether this has come by now.
  bool Hears(const std::string& what) {
    char bytes[4096];
    const ssize_t read = recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (read > 0) heard_.append(bytes, static_cast<size_t>(read));
    return heard_.find(what) != std::string::npos;
  }

 private:
  void Send(const std::string& bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

  const int fd_;
  std::string heard_;
};

TEST(TimerQueueTest, RunsWhatIsDueInTheOrderOfDeadlinesAndThenOfSettings) {
  TimerQueue timers;
  std::vector<char> ran;
  Timer a(timers, [&] { ran.push_back('a'); });
  Timer b(timers, [&] { ran.push_back('b'); });
  Timer c(timers, [&] { ran.push_back('c'); });
  Timer d(timers, [&] { ran.push_back('d'); });
  const Time now{Seconds(1000)};
  for (Timer* const timer : {&d, &b, &a}) timer->Set(now);
  c.Set(now - Seconds(1));
  b.Set(now);  // anew, and so behind the others
  d.Cancel();
  EXPECT_EQ(timers.NextDeadline(), now - Seconds(1));
  EXPECT_FALSE(timers.RunDue(now - Seconds(2)));
  EXPECT_TRUE(timers.RunDue(now));
  EXPECT_THAT(ran, testing::ElementsAre('c', 'a', 'b'));
  EXPECT_EQ(timers.NextDeadline(), kTimeNever);
}

// Among many clients, other nodes would be heard too late.
TEST_F(EventLoopTest, AllSocketsAreLookedAtInATurn) {
  std::vector<std::unique_ptr<RawConnection>> connections;
  for (int i = 0; i < 50; ++i) connections.push_back(std::make_unique<RawConnection>(port_));
  for (const auto& one : connections) {
    while (!one->Hears(kTheirSettingsTaken)) Turn();
  }
  for (const auto& one : connections) one->Ping();
  // As long as there is no event, gRPC looks on by itself.
  bool was_woken = false;
  Wakeup wakeup(*loop_, [&was_woken] { was_woken = true; });
  wakeup.Ring();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  loop_->Poll(clock_.Now());
  EXPECT_TRUE(was_woken);
  int answered = 0;
  for (const auto& one : connections) answered += one->Hears(kPingAnswered) ? 1 : 0;
  EXPECT_EQ(answered, 50);
}

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

// What events write, as unary answers are written, by a connection; and how many bytes each has found at its other end.
class Writes {
 public:
  Writes() { PacedReads::Get().Set(pair_.accepted, PacedReads::Pace::kByThePiece, 0); }
  Writes(const Writes&) = delete;
  Writes& operator=(const Writes&) = delete;
  ~Writes() {
    close(pair_.accepted);
    close(pair_.connected);
  }

  void Write() {
    {
      const HoldWrites hold;
      WriteAll(pair_.accepted, "a");
    }
    seen_.push_back(Arrived());
  }
  size_t Arrived() const {
    char bytes[4096];
    return static_cast<size_t>(
        std::max<ssize_t>(recv(pair_.connected, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT), 0));
  }
  const std::vector<size_t>& seen() const { return seen_; }

 private:
  const TcpPair pair_ = MakeTcpPair();
  std::vector<size_t> seen_;
};

TEST_F(EventLoopTest, WhatIsHeldLeavesWithOthersButSoon) {
  constexpr size_t kEvents = 70;
  Writes writes;
  std::vector<std::unique_ptr<Wakeup>> wakeups;
  while (wakeups.size() < kEvents) {
    wakeups.push_back(std::make_unique<Wakeup>(*loop_, [&writes] { writes.Write(); }));
  }
  for (const auto& wakeup : wakeups) wakeup->Ring();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  loop_->Poll(clock_.Now() + Seconds(1));
  ASSERT_EQ(writes.seen().size(), kEvents);
  EXPECT_EQ(writes.seen()[31], writes.seen()[1]);
  EXPECT_EQ(writes.seen()[32], 32u);
  EXPECT_EQ(writes.seen()[63], 32u);
  EXPECT_EQ(writes.seen()[64], 64u);
  EXPECT_EQ(writes.Arrived(), 64u);
  loop_->Poll(clock_.Now());
  EXPECT_EQ(writes.Arrived(), kEvents);
}

}  // namespace
}  // namespace decree::rpc
