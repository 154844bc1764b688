// Writes on their way from n2 to n1 and back, over a real stream; what n1 makes of them is the test's.

#include "rpc/peer/forwarder.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "paxos/base/posix_clock.h"
#include "rpc/channel_arguments.h"
#include "rpc/peer/peer_service.h"
#include "rpc/port/port.h"
#include "tests/support/core_fixture.h"

namespace decree::rpc {
namespace {

using paxos::NodeId;
using testing::Each;
using testing::Field;
using testing::SizeIs;
using Kind = ForwardEnd::Kind;

// The number of writes that may be under way at once.
constexpr size_t kSentMax = 1024;
const NodeId kServing(1);

std::unique_ptr<paxos::Replica> MakeReplica(uint32_t node, const paxos::Configuration& configuration, Time now) {
  paxos::RecoveredState recovered;
  recovered.configuration = configuration;
  return std::make_unique<paxos::Replica>(paxos::Options(), paxos::Self(node), recovered, Random(node), now);
}

PeerIdentity IdentityOf(uint32_t node) { return {.cluster = "test", .self = paxos::Self(node), .founding = 42}; }

class ForwarderTest : public testing::Test {
 protected:
  ForwarderTest()
      : loop_(clock_),
        answers_(loop_, PeerService::kAnswerLimits),
        port_(std::make_unique<Port>(loop_, answers_,
                                     Port::Options{.address = "127.0.0.1:0", .message_bytes_max = kMessageBytesMax})),
        service_(loop_, serving_, answers_),
        forwarder_(loop_, forwarding_, PeerLinkOptions()) {
    EXPECT_TRUE(port_->Bind().ok());
    EXPECT_TRUE(port_->Serve().ok());
    address_ = StrCat("127.0.0.1:", port_->number());
    replica_1_ = MakeReplica(1, paxos::Voters(3), clock_.Now());
    paxos::Configuration configuration = paxos::Voters(2);
    configuration.members[0].peer_address = address_;
    replica_2_ = MakeReplica(2, configuration, clock_.Now());
    service_.Open(
        port_->methods(), *replica_1_, [](const paxos::Envelope&) {},
        [this](PeerService::ForwardedCall call) {
          if (!answer_at_once_.empty()) call.Answer(answer_at_once_);
          calls_.push_back(std::move(call));
        });
    port_->Open();
    forwarder_.Open(*replica_2_);
    PollUntil([this] { return forwarder_.IsConnected(kServing); });
  }
  ~ForwarderTest() override {
    forwarder_.Close();
    Shutdown();
  }

  void PollUntil(const std::function<bool()>& condition) {
    const Time limit = clock_.Now() + Seconds(20);
    while (!condition()) {
      ASSERT_LT(clock_.Now(), limit);
      loop_.Poll(clock_.Now() + Milliseconds(20));
      loop_.timers().RunDue(clock_.Now());
      service_.Flush();
      service_.ReadOn();
    }
  }
  // Ends n1.
  void Shutdown() {
    if (std::exchange(has_shut_down_, true)) return;
    port_->StopListening();
    std::atomic<bool> is_shut_down{false};
    std::thread thread([&] {
      port_->Shutdown(std::chrono::system_clock::now());
      is_shut_down = true;
    });
    PollUntil([&] { return is_shut_down.load() && !forwarder_.IsConnected(kServing); });
    thread.join();
    forwarder_.Close();
    PollUntil([this] { return loop_.pending() == 0; });
  }

  uint64_t Forward(const std::string& command) {
    return forwarder_.Forward(kServing, std::make_shared<const std::string>(command), clock_.Now() + Seconds(20),
                              [this, command](ForwardEnd end) {
                                EXPECT_FALSE(ends_.contains(command)) << "it ends twice";
                                ends_.emplace(command, std::move(end));
                              });
  }
  void ForwardMany(size_t count) {
    for (size_t i = 0; i < count; ++i) Forward(StrCat("write ", i));
  }
  void AwaitCalls(size_t count) {
    PollUntil([this, count] { return calls_.size() >= count; });
  }
  void AwaitEnds(size_t count) {
    PollUntil([this, count] { return ends_.size() >= count; });
  }
  size_t CountOf(Kind kind) const {
    size_t count = 0;
    for (const auto& [command, end] : ends_) count += end.kind == kind ? 1 : 0;
    return count;
  }

  const PosixClock clock_;
  const PeerIdentity serving_ = IdentityOf(1);
  const PeerIdentity forwarding_ = IdentityOf(2);
  EventLoop loop_;
  Budget answers_;
  std::unique_ptr<Port> port_;
  bool has_shut_down_ = false;
  PeerService service_;
  Forwarder forwarder_;
  std::string address_;  // n1's
  std::unique_ptr<paxos::Replica> replica_1_;
  std::unique_ptr<paxos::Replica> replica_2_;

  std::vector<PeerService::ForwardedCall> calls_;  // that came to n1
  std::string answer_at_once_;                     // to each of them, unless it is empty
  std::map<std::string, ForwardEnd> ends_;         // by command
};

TEST_F(ForwarderTest, AWriteGoesOverAndItsResultComesBack) {
  Forward("put a");
  AwaitCalls(1);
  EXPECT_EQ(calls_[0].command(), "put a");
  EXPECT_GT(calls_[0].time_left(), Seconds(10));
  EXPECT_LE(calls_[0].time_left(), Seconds(20));
  calls_[0].Answer("done");
  AwaitEnds(1);
  EXPECT_EQ(ends_["put a"].kind, Kind::kResult);
  EXPECT_EQ(ends_["put a"].result, "done");
  EXPECT_EQ(forwarder_.outstanding(), 0u);
}

TEST_F(ForwarderTest, AnswersFindTheirWriteInWhateverOrderTheyCome) {
  ForwardMany(3);
  AwaitCalls(3);
  for (const size_t i : {2, 0, 1}) calls_[i].Answer(StrCat("result of ", calls_[i].command()));
  AwaitEnds(3);
  for (const auto& [command, end] : ends_) EXPECT_EQ(end.result, "result of " + command);
}

TEST_F(ForwarderTest, AFailureComesBackWhole) {
  Forward("put a");
  AwaitCalls(1);
  Failure failure = OutcomeUnknown(grpc::StatusCode::DEADLINE_EXCEEDED, "too late");
  failure.detail.set_leader(3);
  calls_[0].Fail(failure);
  AwaitEnds(1);
  const ForwardEnd& end = ends_["put a"];
  EXPECT_EQ(end.kind, Kind::kFailure);
  EXPECT_EQ(end.failure.code, grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(end.failure.text, "too late");
  EXPECT_EQ(end.failure.detail.leader(), 3u);
  EXPECT_EQ(end.failure.detail.outcome(), v1::ErrorDetail::OUTCOME_UNKNOWN);
}

TEST_F(ForwarderTest, ABoundedNumberIsUnderWayAtOnce) {
  ForwardMany(3 * kSentMax);
  AwaitCalls(kSentMax);
  Forward("one more");
  for (int i = 0; i < 5; ++i) PollUntil([first = true]() mutable { return !std::exchange(first, false); });
  EXPECT_THAT(calls_, SizeIs(kSentMax));
  // One write follows for each that is answered.
  for (size_t i = 0; i < calls_.size(); ++i) {
    calls_[i].Answer("done");
    if (i + 1 == calls_.size() && i < 3 * kSentMax) AwaitCalls(i + 2);
  }
  AwaitEnds(3 * kSentMax + 1);
  EXPECT_EQ(CountOf(Kind::kResult), 3 * kSentMax + 1);
}

TEST_F(ForwarderTest, WhatIsGivenUpLeavesRoomForWhatComesNext) {
  ForwardMany(kSentMax);
  AwaitCalls(kSentMax);
  forwarder_.GiveUpAllBut(paxos::kNoNode);
  ASSERT_EQ(ends_.size(), kSentMax);
  Forward("next");
  AwaitCalls(kSentMax + 1);
}

TEST_F(ForwarderTest, LargeOnesAreFewerAtOnce) {
  const std::string large(3 << 20, 'x');
  for (const char* const name : {"a", "b", "c", "d", "e"}) Forward(name + large);
  AwaitCalls(3);
  for (int i = 0; i < 5; ++i) PollUntil([first = true]() mutable { return !std::exchange(first, false); });
  EXPECT_THAT(calls_, SizeIs(3));
  calls_[0].Answer("done");
  AwaitCalls(4);
}

TEST_F(ForwarderTest, WhenTheStreamBreaksNobodyKnowsOfWhatHasLeft) {
  ForwardMany(kSentMax + 10);
  AwaitCalls(kSentMax);
  Shutdown();
  AwaitEnds(kSentMax + 10);
  EXPECT_EQ(CountOf(Kind::kLost), kSentMax);
  EXPECT_EQ(CountOf(Kind::kNotSent), 10u);
  EXPECT_FALSE(forwarder_.IsConnected(kServing));
  calls_[0].Answer("nobody hears it");
}

TEST_F(ForwarderTest, WhatIsWithdrawnIsNotAnswered) {
  const uint64_t sent = Forward("sent");
  ForwardMany(kSentMax - 1);
  const uint64_t unsent = Forward("unsent");
  const uint64_t last = Forward("last");
  AwaitCalls(kSentMax);
  EXPECT_TRUE(forwarder_.Withdraw(sent));
  EXPECT_FALSE(forwarder_.Withdraw(unsent));
  EXPECT_FALSE(forwarder_.Withdraw(last + 1)) << "there is no such write";
  // The place of one that has left is free only when n1 is done with it.
  for (int i = 0; i < 5; ++i) PollUntil([first = true]() mutable { return !std::exchange(first, false); });
  EXPECT_THAT(calls_, SizeIs(kSentMax));
  calls_[0].Answer("too late");
  AwaitCalls(kSentMax + 1);
  EXPECT_EQ(calls_.back().command(), "last");
  for (size_t i = 1; i < calls_.size(); ++i) calls_[i].Answer("done");
  AwaitEnds(kSentMax);
  EXPECT_FALSE(ends_.contains("sent"));
  EXPECT_FALSE(ends_.contains("unsent"));
  EXPECT_EQ(forwarder_.outstanding(), 0u);
}

TEST_F(ForwarderTest, WhatAFormerLeaderDoesNotAnswerIsGivenUp) {
  Forward("put a");
  AwaitCalls(1);
  forwarder_.GiveUpAllBut(kServing);
  EXPECT_EQ(ends_.size(), 0u);
  forwarder_.GiveUpAllBut(paxos::kNoNode);
  ASSERT_EQ(ends_.size(), 1u);
  EXPECT_EQ(ends_["put a"].kind, Kind::kLost);
  // Its answer is nobody's any more, and the stream goes on.
  calls_[0].Answer("too late");
  Forward("put b");
  AwaitCalls(2);
  calls_[1].Answer("done");
  AwaitEnds(2);
  EXPECT_EQ(ends_["put b"].result, "done");
}

// Its answers fill what may be unsent, so that nothing is read from it any more, and then it goes.
TEST_F(ForwarderTest, APeerThatTakesNoAnswersAndGoesLeavesNoStreamBehind) {
  const size_t streams = service_.streams();
  answer_at_once_ = std::string(1 << 20, 'x');
  grpc::ClientContext context;
  std::thread peer([&] {
    const auto stub = v1::Peer::NewStub(MakeNodeChannel(address_));
    const auto stream = stub->Exchange(&context);
    v1::PeerFrame frame;
    *frame.mutable_hello() = MakeHello(IdentityOf(3), kServing, v1::STREAM_KIND_FORWARD);
    stream->Write(frame);
    for (uint64_t number = 1; number <= 16; ++number) {
      v1::ForwardedWrite& write = *frame.mutable_forwards()->add_writes();
      write.set_number(number);
      write.set_command("put");
    }
    stream->Write(frame);
    stream->Write(frame);  // This one waits for room.
    stream->Finish();      // When it is cancelled.
  });
  AwaitCalls(16);
  for (int i = 0; i < 10; ++i) PollUntil([first = true]() mutable { return !std::exchange(first, false); });
  EXPECT_EQ(service_.streams(), streams + 1);
  EXPECT_EQ(calls_.size(), 16u);
  context.TryCancel();
  peer.join();
  calls_.clear();
  PollUntil([&] { return service_.streams() == streams; });
}

// What a byte or two of it make in memory is a hundred times as much: that is found before it is done.
TEST_F(ForwarderTest, AFrameOfMillionsOfWritesEndsItsStream) {
  const auto send = [&](bool greets) {
    std::string writes;
    for (int i = 0; i < 2'000'000; ++i) writes += std::string("\x0a\x00", 2);
    // A length of four bytes, as that of so many writes has.
    const auto size = static_cast<uint32_t>(writes.size());
    std::string frame("\x1a");
    for (int shift = 0; shift < 28; shift += 7) {
      frame += static_cast<char>((size >> shift & 0x7f) | (shift < 21 ? 0x80 : 0));
    }
    frame += writes;
    v1::PeerFrame hello;
    *hello.mutable_hello() = MakeHello(IdentityOf(3), kServing, v1::STREAM_KIND_FORWARD);
    grpc::Status ended;
    std::atomic<bool> has_ended{false};
    std::thread peer([&] {
      grpc::ClientContext context;
      grpc::CompletionQueue queue;
      grpc::GenericStub stub(MakeNodeChannel(address_));
      const auto await = [&queue] {
        void* tag = nullptr;
        bool ok = false;
        return queue.Next(&tag, &ok) && ok;
      };
      const auto stream = stub.PrepareCall(&context, "/decree.v1.Peer/Exchange", &queue);
      stream->StartCall(nullptr);
      bool goes_on = await();
      for (const std::string& message : greets ? std::vector{hello.SerializeAsString(), frame} : std::vector{frame}) {
        const grpc::Slice slice(message);
        if (!goes_on) break;
        stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
        goes_on = await();
      }
      // No status comes before the greeting is taken.
      grpc::ByteBuffer greeting;
      stream->Read(&greeting, nullptr);
      await();
      stream->Finish(&ended, nullptr);
      await();
      has_ended = true;
    });
    PollUntil([&] { return has_ended.load(); });
    peer.join();
    return ended;
  };
  EXPECT_EQ(send(true).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const grpc::Status stranger = send(false);
  EXPECT_EQ(stranger.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(stranger.error_message(), "the first frame is too large for a greeting");
  EXPECT_EQ(calls_.size(), 0u);
}

TEST_F(ForwarderTest, AnswersOfManyMegabytesAllCome) {
  ForwardMany(12);
  AwaitCalls(12);
  for (const PeerService::ForwardedCall& call : calls_) call.Answer(std::string(1 << 20, 'x'));
  AwaitEnds(12);
  EXPECT_EQ(CountOf(Kind::kResult), 12u);
  Forward("one more");
  AwaitCalls(13);
}

}  // namespace
}  // namespace decree::rpc
