// Streams that whoever calls opens to n1 of three.

#include "rpc/peer/peer_service.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/channel_arguments.h"
#include "rpc/peer/codec.h"
#include "rpc/port/port.h"
#include "tests/support/core_fixture.h"
#include "tests/unit/rpc/port/caller.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;
using paxos::NodeId;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kExchange[] = "/decree.v1.Peer/Exchange";

PeerIdentity IdentityOf(uint32_t node) { return {.cluster = "test", .self = paxos::Self(node), .founding = 42}; }

v1::PeerFrame Greeting(uint32_t from, v1::StreamKind kind = v1::STREAM_KIND_CONTROL) {
  v1::PeerFrame frame;
  *frame.mutable_hello() = MakeHello(IdentityOf(from), NodeId(1), kind);
  return frame;
}

// A batch with a heartbeat of this node.
v1::PeerFrame Batch(uint32_t from, uint64_t probe) {
  v1::PeerFrame frame;
  *frame.mutable_batch()->add_messages() =
      ToWire(paxos::From(from, 1, paxos::Heartbeat{.ballot = paxos::B(1, from), .probe = probe, .chosen_index = {}}));
  return frame;
}

class PeerServiceTest : public testing::Test {
 protected:
  PeerServiceTest() {
    EXPECT_TRUE(port_.Bind().ok());
    EXPECT_TRUE(port_.Serve().ok());
    service_.Open(
        port_.methods(), replica_, [this](const paxos::Envelope& envelope) { received_.push_back(envelope); },
        [this](PeerService::ForwardedCall call) { forwarded_.push_back(std::move(call)); });
    port_.Open();
    caller_.emplace(loop_, StrCat("127.0.0.1:", port_.number()), [this] { Turn(); });
  }
  ~PeerServiceTest() override {
    caller_.reset();
    port_.StopListening();
    forwarded_.clear();
    port_.Shutdown(std::chrono::system_clock::now());
    while (loop_.pending() > 0) Turn();
  }

  void Turn() {
    GoRound(loop_);
    service_.Flush();
    service_.ReadOn();
  }
  void AwaitMessages(size_t count) {
    while (received_.size() < count) Turn();
  }
  // A stream that was let in.
  Caller::Call& Open(uint32_t from, v1::StreamKind kind = v1::STREAM_KIND_CONTROL) {
    Caller::Call& stream = caller_->Begin(kExchange);
    caller_->Write(stream, Greeting(from, kind));
    v1::PeerReply reply;
    EXPECT_TRUE(caller_->Read(stream, reply));
    EXPECT_EQ(reply.hello().from(), 1u);
    EXPECT_EQ(reply.hello().to(), from);
    return stream;
  }
  // How a stream ends whose first frame is this.
  grpc::Status EndOf(const v1::PeerFrame& first) {
    Caller::Call& stream = caller_->Begin(kExchange);
    caller_->Write(stream, first);
    return EndOf(stream);
  }
  grpc::Status EndOf(Caller::Call& stream) {
    v1::PeerReply reply;
    while (caller_->Read(stream, reply)) continue;
    return caller_->Status(stream);
  }

  ShiftedClock clock_;
  const PeerIdentity own_ = IdentityOf(1);
  EventLoop loop_{clock_};
  Budget answers_{loop_, PeerService::kAnswerLimits};
  Port port_{loop_, answers_, Port::Options{.address = "127.0.0.1:0", .message_bytes_max = kMessageBytesMax}};
  PeerService service_{loop_, own_, answers_};
  paxos::Replica replica_{paxos::Options(), paxos::Self(1), paxos::RecoveredState{.configuration = paxos::Voters(3)},
                          Random(1), clock_.Now()};
  std::vector<paxos::Envelope> received_;
  std::vector<PeerService::ForwardedCall> forwarded_;
  std::optional<Caller> caller_;
};

TEST_F(PeerServiceTest, WhoeverGreetsAsAPeerIsHeard) {
  Caller::Call& stream = Open(2);
  EXPECT_EQ(service_.streams(), 1u);
  caller_->Write(stream, Batch(2, 7));
  AwaitMessages(1);
  EXPECT_EQ(received_[0].from, NodeId(2));
  EXPECT_EQ(received_[0].to, NodeId(1));
  EXPECT_EQ(received_[0].from_incarnation, paxos::Self(2).incarnation);
  EXPECT_EQ(std::get<paxos::Heartbeat>(received_[0].message).probe, 7u);
  EXPECT_THAT(service_.Problems(), IsEmpty());
}

TEST_F(PeerServiceTest, AGreetingThatDoesNotFitIsRefusedWithWhatDoesNot) {
  v1::PeerFrame other_cluster = Greeting(2);
  other_cluster.mutable_hello()->set_cluster("another");
  v1::PeerFrame stranger = Greeting(2);
  stranger.mutable_hello()->set_from(9);
  v1::PeerFrame other_disk = Greeting(2);
  other_disk.mutable_hello()->set_incarnation(999);
  v1::PeerFrame other_address = Greeting(2);
  other_address.mutable_hello()->set_to(3);
  for (const auto& [greeting, text] : std::vector<std::pair<v1::PeerFrame, std::string>>{
           {other_cluster, "another"}, {stranger, "n9"}, {other_disk, "n2"}, {other_address, "n3"}}) {
    const grpc::Status status = EndOf(greeting);
    EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION) << text;
    EXPECT_THAT(status.error_message(), HasSubstr(text));
    EXPECT_THAT(service_.Problems(), Contains(status.error_message()));
  }
  EXPECT_EQ(service_.streams(), 0u);
}

TEST_F(PeerServiceTest, WhoeverDoesNotGreetIsNotHeard) {
  EXPECT_EQ(EndOf(Batch(2, 1)).error_code(), StatusCode::INVALID_ARGUMENT);
  v1::PeerFrame large = Greeting(2);
  large.mutable_hello()->set_cluster(std::string(100'000, 'x'));
  EXPECT_THAT(EndOf(large).error_message(), HasSubstr("too large for a greeting"));
  EXPECT_THAT(received_, IsEmpty());
}

TEST_F(PeerServiceTest, WhoeverSaysNothingIsCutOff) {
  Caller::Call& silent = caller_->Begin(kExchange);
  while (service_.streams() == 0) Turn();
  Open(2);
  clock_.Pass(Seconds(6));
  EXPECT_EQ(EndOf(silent).error_code(), StatusCode::CANCELLED);
  EXPECT_EQ(service_.streams(), 1u) << "whoever has greeted may be silent";
}

TEST_F(PeerServiceTest, ANewStreamReplacesTheOldOneOfItsKind) {
  Caller::Call& old = Open(2);
  Caller::Call& bulk = Open(2, v1::STREAM_KIND_BULK);
  Caller::Call& fresh = Open(2);
  EXPECT_FALSE(EndOf(old).ok());
  caller_->Write(fresh, Batch(2, 1));
  caller_->Write(bulk, Batch(2, 2));
  AwaitMessages(2);
  EXPECT_EQ(service_.streams(), 2u);
}

TEST_F(PeerServiceTest, NonsenseEndsItsStreamAlone) {
  Caller::Call& wrong = Open(2);
  Caller::Call& right = Open(3);
  v1::PeerFrame nonsense = Batch(2, 1);
  nonsense.mutable_batch()->mutable_messages(0)->clear_message();
  caller_->Write(wrong, nonsense);
  EXPECT_EQ(EndOf(wrong).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(service_.Problems().size(), 1u);
  caller_->Write(right, Batch(3, 1));
  AwaitMessages(1);
  EXPECT_EQ(received_[0].from, NodeId(3));
}

// A process that was started from a copy of the directory must not speak in the other's stream.
TEST_F(PeerServiceTest, AMessageOfAnotherLifeEndsItsStream) {
  Caller::Call& stream = Open(2);
  v1::PeerFrame batch = Batch(2, 1);
  batch.mutable_batch()->mutable_messages(0)->set_from_life(12345);
  caller_->Write(stream, batch);
  EXPECT_THAT(EndOf(stream).error_message(), HasSubstr("another life"));
  EXPECT_THAT(received_, IsEmpty());
}

TEST_F(PeerServiceTest, AForwardedWriteIsAnsweredUnderItsNumber) {
  Caller::Call& stream = Open(2, v1::STREAM_KIND_FORWARD);
  v1::PeerFrame frame;
  for (const uint64_t number : {5, 6}) {
    v1::ForwardedWrite& write = *frame.mutable_forwards()->add_writes();
    write.set_number(number);
    write.set_time_left_us(~uint64_t{0});
    write.set_command("command");
  }
  caller_->Write(stream, frame);
  while (forwarded_.size() < 2) Turn();
  EXPECT_EQ(forwarded_[0].command(), "command");
  EXPECT_LE(forwarded_[0].time_left(), Seconds(3600));
  forwarded_[1].Answer("result");
  forwarded_[0].Fail(Overloaded("too many"));
  v1::PeerReply reply;
  ASSERT_TRUE(caller_->Read(stream, reply));
  ASSERT_EQ(reply.answers().answers_size(), 2);
  EXPECT_EQ(reply.answers().answers(0).number(), 6u);
  EXPECT_EQ(reply.answers().answers(0).result(), "result");
  EXPECT_EQ(reply.answers().answers(1).number(), 5u);
  EXPECT_EQ(reply.answers().answers(1).error().code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(PeerServiceTest, AnAnswerToAStreamThatHasEndedIsDropped) {
  Caller::Call& stream = Open(2, v1::STREAM_KIND_FORWARD);
  v1::PeerFrame frame;
  frame.mutable_forwards()->add_writes()->set_number(1);
  caller_->Write(stream, frame);
  while (forwarded_.empty()) Turn();
  stream.context.TryCancel();
  while (service_.streams() > 0) Turn();
  forwarded_[0].Answer("result");
  Turn();
}

}  // namespace
}  // namespace decree::rpc
