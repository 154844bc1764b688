#include "rpc/port/port.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "decree/v1/kv.pb.h"
#include "paxos/base/posix_clock.h"
#include "rpc/channel_arguments.h"
#include "rpc/loop/held_writes.h"
#include "rpc/loop/paced_reads.h"
#include "tests/unit/rpc/loop/loop_fixture.h"
#include "tests/unit/rpc/port/caller.h"

namespace decree::rpc {
namespace {

// A call that says nothing.
class OpenCall final : public ServerCall::Handler {
 public:
  explicit OpenCall(std::unique_ptr<ServerCall> call) : call_(std::move(call)) {}
  ServerCall& call() { return *call_; }
  bool is_gone() const { return is_gone_; }

 private:
  void OnMessage() override {}
  void OnHalfClosed() override {}
  void OnWritten() override {}
  void OnGone() override { is_gone_ = true; }

  const std::unique_ptr<ServerCall> call_;
  bool is_gone_ = false;
};

constexpr char kMethod[] = "/test.Service/Method";

class PortTest : public testing::TestWithParam<std::string> {
 protected:
  explicit PortTest(size_t events_a_turn = EventLoop::kEventsMax) : loop_(clock_, events_a_turn) {}
  ~PortTest() override {
    port_->StopListening();
    port_->Shutdown(std::chrono::system_clock::now());
    while (loop_.pending() > 0) Turn();
  }

  // False if this machine has no such address.
  bool Open(const std::string& address, const Callers::Limits& calls = {}) {
    port_ = std::make_unique<Port>(
        loop_, answers_,
        Port::Options{
            .address = address, .purpose = "is for tests", .calls = calls, .message_bytes_max = kMessageBytesMax});
    if (!port_->Bind().ok()) return false;
    EXPECT_TRUE(port_->Serve().ok());
    port_->methods().Add(kMethod, [this](std::unique_ptr<ServerCall> call) {
      ServerCall& begun = *call;
      open_.push_back(std::make_shared<OpenCall>(std::move(call)));
      begun.Begin(open_.back());
    });
    port_->Open();
    return true;
  }
  void Turn() { GoRound(loop_); }
  void Await(const Flag& flag) {
    while (!flag.is_set()) Turn();
  }

  const PosixClock clock_;
  EventLoop loop_;
  Budget answers_{loop_, {}};
  std::unique_ptr<Port> port_;
  std::vector<std::shared_ptr<OpenCall>> open_;
};

// What the listener calls a connection is what gRPC calls it.
TEST_P(PortTest, AConnectionIsEndedByTheNameThatItsCallsHave) {
  if (!Open(GetParam())) GTEST_SKIP() << "there is no " << GetParam() << " here";
  Caller caller(loop_, StrCat(GetParam().substr(0, GetParam().rfind(':')), ":", port_->number()));
  Caller::Call& call = caller.Begin(kMethod);
  while (open_.empty()) Turn();
  open_[0]->call().connection()->CutOff();
  EXPECT_EQ(caller.Status(call).error_code(), grpc::StatusCode::UNAVAILABLE);
  while (!open_[0]->is_gone()) Turn();
}

class CallsTest : public PortTest {
 protected:
  using PortTest::PortTest;
  std::string address() const { return StrCat("127.0.0.1:", port_->number()); }
};

TEST_F(CallsTest, WhatIsNotServedIsRefusedWithWhatThePortIsFor) {
  ASSERT_TRUE(Open("127.0.0.1:0"));
  Caller caller(loop_, address());
  const grpc::Status status = caller.Status(caller.Begin("/no.such/Method"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(), "/no.such/Method is not known here; is for tests");
}

// Calls that say nothing are seen, and make room for others: first those of whoever has the most.
TEST_F(CallsTest, WhoeverHasTheMostCallsWithoutARequestMakesRoom) {
  ASSERT_TRUE(Open("127.0.0.1:0", {.calls = 10, .calls_of_one = 100}));
  Caller few(loop_, address());
  Caller many(loop_, address());
  for (int i = 0; i < 4; ++i) few.Begin(kMethod);
  while (open_.size() < 4) Turn();
  std::vector<Caller::Call*> of_many;
  for (int i = 0; i < 6; ++i) of_many.push_back(&many.Begin(kMethod));
  while (open_.size() < 10) Turn();
  Caller newcomer(loop_, address());
  // There is room for several then.
  for (int i = 0; i < 6; ++i) newcomer.Begin(kMethod);
  while (open_.size() < 16) Turn();
  for (Caller::Call* const call : of_many) EXPECT_EQ(many.Status(*call).error_code(), grpc::StatusCode::UNAVAILABLE);
  for (size_t i = 0; i < open_.size(); ++i) EXPECT_EQ(open_[i]->call().is_ending(), i >= 4 && i < 10) << i;
}

TEST_F(CallsTest, WhenAllHaveRequestsOthersAreRefused) {
  ASSERT_TRUE(Open("127.0.0.1:0", {.calls = 4, .calls_of_one = 100}));
  Caller caller(loop_, address());
  for (int i = 0; i < 4; ++i) caller.Begin(kMethod);
  while (open_.size() < 4) Turn();
  for (const auto& open : open_) open->call().SetBusy(true);
  Caller newcomer(loop_, address());
  const auto refused = newcomer.AnswerTo<v1::GetResponse>(newcomer.Begin(kMethod));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.detail.reason(), v1::ErrorDetail::REASON_ASK_ANOTHER);
  EXPECT_EQ(refused.detail.outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  for (const auto& open : open_) EXPECT_FALSE(open->call().is_ending());
  open_[0]->call().End(grpc::Status::OK);
  while (!open_[0]->is_gone()) Turn();
  open_.erase(open_.begin());
  newcomer.Begin(kMethod);
  while (open_.size() < 4) Turn();
}

TEST_F(CallsTest, AConnectionWithTooManyIsCutOff) {
  ASSERT_TRUE(Open("127.0.0.1:0", {.calls = 1000, .calls_of_one = 5}));
  Caller other(loop_, address());
  other.Begin(kMethod);
  while (open_.empty()) Turn();
  Caller caller(loop_, address());
  std::vector<Caller::Call*> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(&caller.Begin(kMethod));
  for (Caller::Call* const call : calls) EXPECT_FALSE(caller.Status(*call).ok());
  EXPECT_FALSE(open_[0]->call().is_ending());
}

// How many bytes the kernel has taken for callers, and has not sent.
size_t CountHeldBytes() {
  int all = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    int bytes = 0;
    if (PacedReads::IsPaced(fd) && ioctl(fd, SIOCOUTQNSD, &bytes) == 0) all += bytes;
  }
  return static_cast<size_t>(all);
}

TEST_F(CallsTest, AnswersOfATurnLeaveTogether) {
  ASSERT_TRUE(Open("127.0.0.1:0"));
  Caller caller(loop_, address());
  std::vector<Caller::Call*> calls;
  for (int i = 0; i < 2; ++i) calls.push_back(&caller.Begin(kMethod));
  while (open_.size() < 2) Turn();
  EXPECT_EQ(CountHeldBytes(), 0u);
  open_[0]->call().WriteAndEnd(v1::GetResponse());
  const size_t of_one = CountHeldBytes();
  EXPECT_GT(of_one, 0u);
  open_[1]->call().End(grpc::Status::OK);
  EXPECT_GT(CountHeldBytes(), of_one);
  PushHeldWrites();
  EXPECT_EQ(CountHeldBytes(), 0u);
  for (Caller::Call* const call : calls) EXPECT_TRUE(caller.AnswerTo<v1::GetResponse>(*call).status.ok());
}

INSTANTIATE_TEST_SUITE_P(Addresses, PortTest, testing::Values("127.0.0.1:0", "[::1]:0"));

// The loop has seen its end whatever came last, and when.
TEST(ListenerTest, EndsWhileCallersCome) {
  const PosixClock clock;
  EventLoop loop(clock);
  for (int i = 0; i < 100; ++i) {
    Listener listener(loop);
    ASSERT_TRUE(listener.Bind("127.0.0.1:0").ok());
    size_t came = 0;
    listener.Open({.on_caller =
                       [&came](const Listener::Caller& caller) {
                         ++came;
                         close(caller.fd);
                       },
                   .on_trouble = [](const std::string& text) { ADD_FAILURE() << text; }});
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(listener.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    // Before it was handed over, and after.
    while (i % 2 == 0 && came == 0) loop.Poll(clock.Now() + Milliseconds(10));
    listener.Close();
    const Time limit = clock.Now() + Seconds(5);
    while (loop.pending() > 0 && clock.Now() < limit) loop.Poll(clock.Now() + Milliseconds(10));
    ASSERT_EQ(loop.pending(), 0u) << i;
    close(fd);
  }
}

TEST(ListenerTest, AnAddressThatCannotBeTakenIsNamed) {
  const PosixClock clock;
  EventLoop loop(clock);
  Listener first(loop);
  ASSERT_TRUE(first.Bind("127.0.0.1:0").ok());
  for (const std::string& address :
       {StrCat("127.0.0.1:", first.port()), std::string("192.0.2.1:1234"), std::string("no.such.host.invalid:1"),
        std::string("127.0.0.1"), std::string("[::1:2")}) {
    Listener second(loop);
    const Status status = second.Bind(address);
    ASSERT_FALSE(status.ok()) << address;
    EXPECT_NE(status.message().find(address), std::string::npos) << status;
  }
}

// Writes whenever it may.
class Talker final : public ServerCall::Handler {
 public:
  explicit Talker(std::unique_ptr<ServerCall> call) : call_(std::move(call)) {
    message_.set_value(std::string(1 << 20, 'x'));
  }
  ServerCall& call() { return *call_; }
  void WriteOn() {
    if (call_->is_writing() || call_->is_ending()) return;
    EXPECT_FALSE(std::exchange(awaits_written_, true)) << "a write has ended, and nobody was told";
    call_->Write(message_);
  }
  bool is_gone() const { return is_gone_; }

 private:
  void OnMessage() override {}
  void OnHalfClosed() override {}
  void OnWritten() override { awaits_written_ = false; }
  void OnGone() override { is_gone_ = true; }

  const std::unique_ptr<ServerCall> call_;
  v1::KeyValue message_;
  bool awaits_written_ = false;
  bool is_gone_ = false;
};

class CallsInShortTurnsTest : public CallsTest {
 protected:
  CallsInShortTurnsTest() : CallsTest(1) {}
};

// A write's end or the call's may be known first.
TEST_F(CallsInShortTurnsTest, WhenAWriteFailsTheCallIsEnding) {
  ASSERT_TRUE(Open("127.0.0.1:0"));
  std::shared_ptr<Talker> talker;
  port_->methods().Add("/test.Service/Talk", [&](std::unique_ptr<ServerCall> call) {
    ServerCall& begun = *call;
    talker = std::make_shared<Talker>(std::move(call));
    begun.Begin(talker);
  });
  for (int round = 0; round < 50; ++round) {
    Caller caller(loop_, address());
    Caller::Call& call = caller.Begin("/test.Service/Talk");
    talker = nullptr;
    while (talker == nullptr) Turn();
    for (int turn = 0; !talker->is_gone(); ++turn) {
      if (turn == round % 7) call.context.TryCancel();
      talker->WriteOn();
      Turn();
    }
  }
  talker = nullptr;
}

}  // namespace
}  // namespace decree::rpc
