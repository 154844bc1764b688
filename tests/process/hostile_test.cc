// What clients may do to a cluster with little effort: ask for much, and take nothing. Whatever it is, each node keeps
// to its memory, the leader goes on leading, and other clients are served.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "decree/v1/kv.grpc.pb.h"
#include "decree/v1/peer.grpc.pb.h"
#include "rpc/channel_arguments.h"
#include "rpc/peer/peer_hello.h"
#include "tests/process/flood.h"
#include "tests/process/half_messages.h"
#include "tests/process/process_cluster.h"
#include "tests/process/raw_pipeline.h"
#include "tests/process/untaken_calls.h"
#include "tests/support/tcp_proxy.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;

// The limit of a node with default options, beside its caches, of which these tests use next to nothing.
constexpr uint64_t kMemoryMax = 512 * kMiB;
constexpr uint64_t kCachesMax = 92 * kMiB;
constexpr char kLarge[] = "large";
constexpr int kNiceness = 10;
// Beyond this a leader may be taken for dead, whatever its clients do.
constexpr Duration kStallMax = Milliseconds(200);

// How long a thread of this machine's usual priority has to wait for a processor.
class StallWatch {
 public:
  StallWatch() : thread_([this] { Watch(); }) {}
  ~StallWatch() {
    ends_ = true;
    thread_.join();
  }
  Duration Longest() const { return Duration(longest_); }

 private:
  static constexpr auto kNap = std::chrono::milliseconds(5);

  void Watch() {
    auto before = steady_clock::now();
    while (!ends_) {
      std::this_thread::sleep_for(kNap);
      const auto now = steady_clock::now();
      longest_ = std::max<int64_t>(longest_, (now - before - kNap).count());
      before = now;
    }
  }

  std::atomic<bool> ends_{false};
  std::atomic<int64_t> longest_{0};
  std::thread thread_;
};

class HostileTest : public testing::Test {
 protected:
  explicit HostileTest(const std::vector<std::string>& options = {})
      : stalls_(std::make_unique<StallWatch>()),
        cluster_(3, {.init = {}, .serve = options}),
        leader_(cluster_.AwaitLeader()),
        ballot_(BallotOf(leader_)) {
    // Its clients have machines of their own elsewhere.
    setpriority(PRIO_PROCESS, 0, kNiceness);
    other_ = cluster_.NewClient(Seconds(30));
    const auto put = other_->Put(kLarge, std::string(kMiB, 'x'));
    EXPECT_TRUE(put.ok()) << put.status();
  }
  void TearDown() override {
    for (uint32_t node = 1; node <= cluster_.size(); ++node) {
      const uint64_t peak = cluster_.PeakBytes(node);
      std::cout << "n" << node << (node == leader_ ? ", the leader," : "") << " has held " << peak / kMiB << " MiB\n";
      EXPECT_LT(peak, memory_max_);
    }
    const Duration stall = stalls_->Longest();
    if (stall > kStallMax) {
      std::cout << "this machine had no processor for " << ToMilliseconds(stall)
                << " ms: nothing is said of the leader\n";
    } else {
      EXPECT_EQ(BallotOf(leader_), ballot_) << "it has lost its leadership:\n" << cluster_.Log(leader_);
    }
  }

  uint32_t Follower() const { return leader_ % 3 + 1; }
  std::pair<uint64_t, uint32_t> BallotOf(uint32_t node) const {
    const v1::NodeStatusResponse status = cluster_.StatusOf(node);
    return {status.ballot_round(), status.ballot_node()};
  }
  // Until answers that nobody takes hold all that large ones may, 36 MiB; some of it was there before.
  void AwaitFullRoom(uint32_t node, uint64_t resident_before) {
    ASSERT_TRUE(WaitFor([&] { return cluster_.ResidentBytes(node) > resident_before + 20 * kMiB; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  // Small requests of another client are answered: long before those are cut off who take nothing for ten seconds.
  void ExpectOthersServed() {
    for (int i = 0; i < 20; ++i) {
      const auto start = steady_clock::now();
      const auto put = other_->Put("small", "v");
      ASSERT_TRUE(put.ok()) << put.status();
      const auto get = other_->Get("small");
      ASSERT_TRUE(get.ok()) << get.status();
      EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(8));
    }
  }

  const std::unique_ptr<StallWatch> stalls_;
  ProcessCluster cluster_;
  uint64_t memory_max_ = kMemoryMax;
  const uint32_t leader_;
  const std::pair<uint64_t, uint32_t> ballot_;
  std::unique_ptr<rpc::Client> other_;
};

// What strangers say at the port for peers stands in the log and in the status, and is neither long nor often repeated.
TEST_F(HostileTest, GreetingsWithALongName) {
  const size_t logged_before = cluster_.Log(leader_).size();
  const auto stub =
      v1::Peer::NewStub(grpc::CreateChannel(cluster_.PeerAddress(leader_), grpc::InsecureChannelCredentials()));
  for (int i = 0; i < 200; ++i) {
    grpc::ClientContext context;
    const auto stream = stub->Exchange(&context);
    v1::PeerFrame frame;
    frame.mutable_hello()->set_protocol(rpc::kPeerProtocol);
    frame.mutable_hello()->set_cluster(StrCat(i, "\nF20261201 forged", std::string(60'000, 'x')));
    stream->Write(frame);
    const grpc::Status refused = stream->Finish();
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << refused.error_message();
  }
  const v1::NodeStatusResponse status = cluster_.StatusOf(leader_);
  EXPECT_THAT(status.problems(), testing::Contains(testing::HasSubstr("forged")));
  EXPECT_LT(status.ByteSizeLong(), 16u << 10);
  const std::string logged = cluster_.Log(leader_).substr(logged_before);
  EXPECT_THAT(logged, testing::HasSubstr("?F20261201 forged"));
  EXPECT_THAT(logged, testing::Not(testing::HasSubstr("\nF20261201 forged")));
  EXPECT_LT(logged.size(), 64u << 10);
}

v1::CompareAndSwapRequest RefusedSwap() {
  v1::CompareAndSwapRequest swap;
  swap.set_key(kLarge);
  swap.set_value("never");
  swap.set_expected_version(999);
  return swap;
}

// Each answer holds the key's value; each replica carries the swaps out, and does so again after a restart.
TEST_F(HostileTest, RefusedSwapsOfALargeValue) {
  constexpr size_t kSwaps = 2400;
  RawPipeline pipeline(cluster_.Endpoint(leader_));
  for (size_t id = 1; id <= kSwaps; ++id) *pipeline.Add(id).mutable_compare_and_swap() = RefusedSwap();
  ASSERT_TRUE(pipeline.Send());
  ExpectOthersServed();
  const auto answers = pipeline.Read(kSwaps);
  ASSERT_EQ(answers.size(), kSwaps);
  for (const auto& [id, answer] : answers) {
    ASSERT_TRUE(answer.has_compare_and_swap()) << answer.error().ShortDebugString();
    const v1::CompareAndSwapResponse& swap = answer.compare_and_swap();
    EXPECT_FALSE(swap.swapped());
    EXPECT_TRUE(swap.current().value().size() == kMiB || swap.current_omitted()) << swap.header().ShortDebugString();
  }
  EXPECT_TRUE(cluster_.AwaitAgreement());
}

TEST(HostileReplayTest, RefusedSwapsOfALargeValueCostNoReplayMuch) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  RawPipeline pipeline(cluster.Endpoint(leader));
  pipeline.AddPut(1, kLarge, std::string(kMiB, 'x'));
  ASSERT_TRUE(pipeline.Send());
  ASSERT_TRUE(pipeline.ReadOne(1).has_put());
  constexpr size_t kSwaps = 1000;
  for (size_t id = 1; id <= kSwaps; ++id) *pipeline.Add(id).mutable_compare_and_swap() = RefusedSwap();
  ASSERT_TRUE(pipeline.Send());
  ASSERT_EQ(pipeline.Read(kSwaps).size(), kSwaps);
  ASSERT_TRUE(cluster.AwaitAgreement());
  cluster.KillAll();
  for (uint32_t node = 1; node <= 3; ++node) cluster.Start(node);
  cluster.AwaitLeader();
  for (uint32_t node = 1; node <= 3; ++node) EXPECT_LT(cluster.PeakBytes(node), 256 * kMiB) << "n" << node;
  EXPECT_TRUE(cluster.AwaitAgreement());
}

// Nothing is wrong with this client.
TEST_F(HostileTest, ManyLargeReadsAtAFollower) {
  constexpr size_t kGets = 1000;
  RawPipeline pipeline(cluster_.Endpoint(Follower()));
  for (size_t id = 1; id <= kGets; ++id) {
    v1::PipelinedRequest& request = pipeline.Add(id);
    request.set_time_left_us(60'000'000);
    request.mutable_get()->set_key(kLarge);
  }
  ASSERT_TRUE(pipeline.Send());
  const auto answers = pipeline.Read(kGets);
  ASSERT_EQ(answers.size(), kGets);
  for (const auto& [id, answer] : answers) {
    EXPECT_EQ(answer.get().kv().value().size(), kMiB) << answer.error().ShortDebugString();
  }
}

// Four bytes of a message are two requests.
TEST_F(HostileTest, MillionsOfEmptyRequests) {
  std::vector<std::unique_ptr<RawPipeline>> pipelines;
  for (int i = 0; i < 20; ++i) {
    pipelines.push_back(std::make_unique<RawPipeline>(cluster_.Endpoint(leader_)));
    for (int k = 0; k < 2'000'000; ++k) pipelines.back()->AddNothing();
    EXPECT_TRUE(pipelines.back()->Send());
  }
  // They are served as their answers are taken, and not before; some streams are cut off, for they hold too much.
  ExpectOthersServed();
  for (const auto& pipeline : pipelines) pipeline->Cancel();
}

// A packed message may be a thousand times as large when it is unpacked.
TEST_F(HostileTest, APackedMessageIsNotUnpacked) {
  const auto channel = grpc::CreateChannel(cluster_.Endpoint(leader_), grpc::InsecureChannelCredentials());
  v1::PutRequest put;
  put.set_key("bomb");
  put.set_value(std::string(300 * kMiB, '\0'));
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  v1::PutResponse response;
  const grpc::Status status = v1::KV::NewStub(channel)->Put(&context, put, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  EXPECT_LT(cluster_.PeakBytes(leader_), 128 * kMiB);
}

// A link to a node, which passes nothing back when it is held.
class OneWayLink {
 public:
  explicit OneWayLink(const std::string& endpoint) {
    proxy_.LeadTo(static_cast<uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1))));
  }
  std::string endpoint() const { return StrCat("127.0.0.1:", proxy_.port()); }
  void Hold() { proxy_.HoldTo(1); }

 private:
  check::TcpProxy proxy_;
};

// Streams whose client asks for a key again and again, and takes nothing.
class UnreadStreams {
 public:
  UnreadStreams(const std::string& endpoint, size_t streams, const std::string& key, size_t gets) : link_(endpoint) {
    for (size_t i = 0; i < streams; ++i) {
      pipelines_.push_back(std::make_unique<RawPipeline>(link_.endpoint()));
      pipelines_.back()->AddStaleGet(0, "small");
      EXPECT_TRUE(pipelines_.back()->Send());
      EXPECT_TRUE(pipelines_.back()->ReadOne(0).has_get());
    }
    link_.Hold();
    for (const auto& pipeline : pipelines_) {
      for (size_t id = 1; id <= gets; ++id) {
        v1::PipelinedRequest& request = pipeline->Add(id);
        request.set_time_left_us(60'000'000);
        request.mutable_get()->set_key(key);
      }
      EXPECT_TRUE(pipeline->Send());
    }
  }
  ~UnreadStreams() {
    for (const auto& pipeline : pipelines_) pipeline->Cancel();
  }

 private:
  OneWayLink link_;
  std::vector<std::unique_ptr<RawPipeline>> pipelines_;
};

// They fill the room, small as each answer is. Whoever reads does not notice.
TEST_F(HostileTest, SmallAnswersThatAreNotRead) {
  ASSERT_TRUE(other_->Put("medium", std::string(10 << 10, 'm')).ok());
  const uint64_t before = cluster_.ResidentBytes(leader_);
  std::vector<std::unique_ptr<RawPipeline>> unread;
  for (int i = 0; i < 20; ++i) {
    unread.push_back(std::make_unique<RawPipeline>(cluster_.Endpoint(leader_)));
    for (uint64_t id = 1; id <= 4000; ++id) unread.back()->AddStaleGet(id, "medium");
    ASSERT_TRUE(unread.back()->Send());
  }
  AwaitFullRoom(leader_, before);
  ExpectOthersServed();
  for (const auto& pipeline : unread) pipeline->Cancel();
}

// A client that does not read its streams keeps only itself waiting while there is room, and is cut off when others
// want it.
TEST_F(HostileTest, StreamsThatAreNotRead) {
  const uint64_t before = cluster_.ResidentBytes(leader_);
  const UnreadStreams unread(cluster_.Endpoint(leader_), 60, kLarge, 50);
  AwaitFullRoom(leader_, before);
  ExpectOthersServed();
  // A large answer has no room before some of them are cut off: by the node, or by TCP, whose patience is as long. Then
  // it is the turn of those streams that have waited longer, but there is room for most of them at once.
  const auto get = cluster_.NewClientOf(leader_, Seconds(30))->Get(kLarge);
  ASSERT_TRUE(get.ok()) << get.status();
  ExpectOthersServed();
}

// What waits behind answers that nobody takes has a bound of its own: the streams that hold the most are cut off.
TEST_F(HostileTest, BatchesThatWaitForRoom) {
  std::vector<std::unique_ptr<RawPipeline>> pipelines;
  for (int i = 0; i < 150; ++i) {
    pipelines.push_back(std::make_unique<RawPipeline>(cluster_.Endpoint(leader_)));
    // These take all places, and what comes behind them waits.
    for (uint64_t id = 1; id <= 100; ++id) pipelines.back()->AddStaleGet(id, kLarge);
    for (uint64_t id = 101; id <= 900; ++id) pipelines.back()->AddStaleGet(id, std::string(4096, 'k'));
    pipelines.back()->Send();
  }
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_LT(cluster_.PeakBytes(leader_), 224 * kMiB);
  for (const auto& pipeline : pipelines) pipeline->Cancel();
  ExpectOthersServed();
}

// A client that reads what it has asked for holds nothing afterwards.
TEST_F(HostileTest, AnswersThatWereReadHoldNoRoom) {
  std::vector<std::unique_ptr<RawPipeline>> pipelines;
  for (int i = 0; i < 60; ++i) {
    pipelines.push_back(std::make_unique<RawPipeline>(cluster_.Endpoint(leader_)));
    pipelines.back()->AddStaleGet(1, kLarge);
    ASSERT_TRUE(pipelines.back()->Send());
    ASSERT_EQ(pipelines.back()->ReadOne(1).get().kv().value().size(), kMiB) << i;
  }
  const auto get = cluster_.NewClientOf(leader_, Seconds(5))->Get(kLarge);
  EXPECT_TRUE(get.ok()) << get.status();
  EXPECT_THAT(cluster_.Log(leader_), testing::Not(testing::HasSubstr("is cut off")));
}

// A write is carried out all the same, and says what it leaves out; its session tells that later.
TEST_F(HostileTest, WhatFindsNoRoomInTimeSaysSo) {
  RawPipeline pipeline(cluster_.Endpoint(leader_));
  const uint64_t session = pipeline.OpenSession();
  const uint64_t before = cluster_.ResidentBytes(leader_);
  {
    const UnreadStreams unread(cluster_.Endpoint(leader_), 100, kLarge, 50);
    AwaitFullRoom(leader_, before);
    pipeline.Add(1).mutable_get()->set_key(kLarge);
    pipeline.Last().set_time_left_us(2'000'000);
    pipeline.AddPut(2, kLarge, "small now");
    pipeline.LastPut().set_return_previous(true);
    pipeline.HeaderOfLastPut().set_session(session);
    pipeline.HeaderOfLastPut().set_number(1);
    pipeline.Last().set_time_left_us(2'000'000);
    ASSERT_TRUE(pipeline.Send());
    auto answers = pipeline.Read(2);
    EXPECT_EQ(answers[1].error().code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(answers[2].put().version(), 2u) << answers[2].error().ShortDebugString();
    EXPECT_TRUE(answers[2].put().previous_omitted());
    EXPECT_FALSE(answers[2].put().has_previous());
  }
  const auto outcome = cluster_.NewClientOf(leader_, Seconds(30))->Outcome(session, 1, false);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->answer().previous().value().size(), kMiB);
  EXPECT_FALSE(outcome->answer().previous_omitted());
}

// ---- Calls of their own ----

// What one of many calls asks for.
struct Ask {
  std::string name;
  // Begins a call; `done` is called when it has ended.
  std::function<void(v1::KV::Stub&, grpc::ClientContext&, uint64_t session, std::function<void(grpc::Status)> done)>
      begin;
};

template <typename Request, typename Response, typename Begin>
auto Asking(Request request, Begin begin) {
  return [request, begin](v1::KV::Stub& stub, grpc::ClientContext& context, uint64_t session,
                          std::function<void(grpc::Status)> done) {
    struct Call {
      Request request;
      Response response;
    };
    const auto call = std::make_shared<Call>(Call{.request = request, .response = {}});
    if constexpr (std::is_same_v<Request, v1::OutcomeRequest>) call->request.mutable_header()->set_session(session);
    begin(*stub.async(), &context, &call->request, &call->response,
          std::function<void(grpc::Status)>(
              [call, done = std::move(done)](grpc::Status status) { done(std::move(status)); }));
  };
}

// Calls over connections whose client takes nothing any more.
class Unread {
 public:
  Unread(const std::string& endpoint, const Ask& ask, uint64_t session, size_t calls)
      : link_(endpoint), contexts_(calls) {
    for (int i = 0; i < kChannels; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      // It lets the server send as much as it likes.
      arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, static_cast<int>(64 * kMiB));
      const auto channel = grpc::CreateCustomChannel(link_.endpoint(), grpc::InsecureChannelCredentials(), arguments);
      CHECK(channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)));
      stubs_.push_back(v1::KV::NewStub(channel));
    }
    link_.Hold();
    for (size_t i = 0; i < calls; ++i) {
      contexts_[i].set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
      ask.begin(*stubs_[i % kChannels], contexts_[i], session,
                [this](const grpc::Status& status) { status.ok() ? ++ok_ : ++failed_; });
    }
  }
  ~Unread() {
    for (grpc::ClientContext& context : contexts_) context.TryCancel();
    EXPECT_TRUE(WaitFor([this] { return ok_ + failed_ == contexts_.size(); }));
  }

 private:
  static constexpr int kChannels = 20;

  OneWayLink link_;
  std::vector<std::unique_ptr<v1::KV::Stub>> stubs_;
  std::vector<grpc::ClientContext> contexts_;
  std::atomic<size_t> ok_{0};
  std::atomic<size_t> failed_{0};
};

v1::GetRequest LargeGet() {
  v1::GetRequest get;
  get.set_key(kLarge);
  return get;
}

v1::RangeRequest LargeRange() {
  v1::RangeRequest range;
  range.set_first(kLarge);
  return range;
}

v1::PutRequest LargePut() {
  v1::PutRequest put;
  put.set_key(kLarge);
  put.set_value(std::string(kMiB, 'y'));
  put.set_return_previous(true);
  return put;
}

v1::DeleteRequest LargeDelete() {
  v1::DeleteRequest del;
  del.set_key(kLarge);
  del.set_return_previous(true);
  return del;
}

v1::OutcomeRequest OutcomeOfFirst() {
  v1::OutcomeRequest outcome;
  outcome.mutable_header()->set_number(1);
  return outcome;
}

const std::vector<Ask>& Asks() {
  static const std::vector<Ask> asks{
      {"Get", Asking<v1::GetRequest, v1::GetResponse>(LargeGet(),
                                                      [](auto& stub, auto... arguments) { stub.Get(arguments...); })},
      {"Swap", Asking<v1::CompareAndSwapRequest, v1::CompareAndSwapResponse>(
                   RefusedSwap(), [](auto& stub, auto... arguments) { stub.CompareAndSwap(arguments...); })},
      {"Range", Asking<v1::RangeRequest, v1::RangeResponse>(
                    LargeRange(), [](auto& stub, auto... arguments) { stub.Range(arguments...); })},
      {"Put", Asking<v1::PutRequest, v1::PutResponse>(LargePut(),
                                                      [](auto& stub, auto... arguments) { stub.Put(arguments...); })},
      {"Outcome", Asking<v1::OutcomeRequest, v1::OutcomeResponse>(
                      OutcomeOfFirst(), [](auto& stub, auto... arguments) { stub.Outcome(arguments...); })},
  };
  return asks;
}

class UnreadCallsTest : public HostileTest, public testing::WithParamInterface<size_t> {
 protected:
  // A session whose first request is a put that tells of the large value.
  uint64_t SessionWithLargeAnswer() {
    RawPipeline pipeline(cluster_.Endpoint(leader_));
    const uint64_t session = pipeline.OpenSession();
    pipeline.AddPut(1, kLarge, std::string(kMiB, 'z'));
    pipeline.HeaderOfLastPut().set_session(session);
    pipeline.HeaderOfLastPut().set_number(1);
    pipeline.LastPut().set_return_previous(true);
    EXPECT_TRUE(pipeline.Send());
    EXPECT_EQ(pipeline.ReadOne(1).put().previous().value().size(), kMiB);
    return session;
  }
};

TEST_P(UnreadCallsTest, AreCutOffWhenOthersWantTheRoom) {
  const Ask& ask = Asks()[GetParam()];
  const bool is_put = ask.name == "Put";
  const uint64_t session = SessionWithLargeAnswer();
  // Half of them at the leader; the others, where a node has the answers from it.
  const uint32_t node = GetParam() % 2 == 0 ? leader_ : Follower();
  const uint64_t before = cluster_.ResidentBytes(node);
  const Unread unread(cluster_.Endpoint(node), ask, session, is_put ? 200 : 1000);
  if (!is_put) AwaitFullRoom(node, before);
  ExpectOthersServed();
  const auto get = cluster_.NewClientOf(node, Seconds(30))->Get(kLarge);
  EXPECT_TRUE(get.ok()) << get.status();
  ExpectOthersServed();
}

// The same over connections that are well: nobody but the node can tell.
struct Untaken {
  std::string method;
  std::shared_ptr<google::protobuf::Message> request;
};
void PrintTo(const Untaken& untaken, std::ostream* out) { *out << untaken.method; }

class UntakenCallsTest : public HostileTest, public testing::WithParamInterface<Untaken> {};

TEST_P(UntakenCallsTest, AreCutOffWhenOthersWantTheRoom) {
  const uint64_t before = cluster_.ResidentBytes(leader_);
  const UntakenCalls untaken(cluster_.Endpoint(leader_), StrCat("/decree.v1.KV/", GetParam().method),
                             *GetParam().request, 1000);
  AwaitFullRoom(leader_, before);
  ExpectOthersServed();
  const auto get = cluster_.NewClientOf(leader_, Seconds(25))->Get(kLarge);
  EXPECT_TRUE(get.ok()) << get.status();
  ExpectOthersServed();
}

// Everything at once, at the leader and at a follower; and large puts, as many as are let in, of a key that is deleted
// again and again.
TEST_F(HostileTest, AllOfItTogether) {
  std::vector<Ask> asks = Asks();
  asks.push_back({"Delete", Asking<v1::DeleteRequest, v1::DeleteResponse>(
                                LargeDelete(), [](auto& stub, auto... arguments) { stub.Delete(arguments...); })});
  std::vector<std::unique_ptr<Unread>> unread;
  for (const Ask& ask : asks) {
    if (ask.name == "Outcome") continue;
    for (const uint32_t node : {leader_, Follower()}) {
      unread.push_back(std::make_unique<Unread>(cluster_.Endpoint(node), ask, 0, 300));
    }
  }
  for (int i = 0; i < 10; ++i) {
    const auto put = other_->Put("small", "v");
    EXPECT_TRUE(put.ok()) << put.status();
  }
}

// A client that opens sessions and forgets them.
TEST_F(HostileTest, SessionsThatAreLeft) {
  constexpr size_t kSessions = 110'000;
  constexpr size_t kAtOnce = 500;
  const auto stub =
      v1::KV::NewStub(grpc::CreateChannel(cluster_.Endpoint(leader_), grpc::InsecureChannelCredentials()));
  std::atomic<size_t> begun{0};
  std::atomic<size_t> opened{0};
  std::atomic<size_t> ended{0};
  const std::function<void()> open = [&] {
    struct Call {
      grpc::ClientContext context;
      v1::OpenSessionRequest request;
      v1::OpenSessionResponse response;
    };
    if (begun++ >= kSessions) {
      ++ended;
      return;
    }
    const auto call = std::make_shared<Call>();
    stub->async()->OpenSession(&call->context, &call->request, &call->response, [&, call](const grpc::Status& status) {
      if (status.ok()) ++opened;
      open();
    });
  };
  for (size_t i = 0; i < kAtOnce; ++i) open();
  ASSERT_TRUE(WaitFor([&] { return ended == kAtOnce; }, Seconds(60)));
  EXPECT_EQ(opened, kSessions) << "its own sessions, which it does not use, are to go";
  const v1::NodeStatusResponse status = cluster_.StatusOf(leader_);
  EXPECT_EQ(status.sessions(), status.sessions_max());
  EXPECT_GT(status.sessions_ended_for_others(), 0u);
  EXPECT_THAT(status.problems(), testing::Contains(testing::HasSubstr("of them by clients at 127.0.0.1")));
  const auto put = cluster_.NewClient()->Put("first", "v");
  EXPECT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(cluster_.AwaitAgreement());
}

// ---- Floods ----

struct FloodCase {
  std::string name;
  FloodOf what;
  size_t connections = 8;
  bool is_at_peers_port = false;
  std::string log;  // what the node says of it
};
void PrintTo(const FloodCase& flood, std::ostream* out) { *out << flood.name; }

constexpr char kTooManyHeaders[] = "its headers are larger than";
constexpr char kTakesNothing[] = "takes no answers";

class FloodTest : public HostileTest, public testing::WithParamInterface<FloodCase> {};

// gRPC would read each for as long as something comes, and hold all the calls.
TEST_P(FloodTest, CostsTheClusterLittle) {
  const bool is_at_peers_port = GetParam().is_at_peers_port;
  const std::string address = is_at_peers_port ? cluster_.PeerAddress(leader_) : cluster_.Endpoint(leader_);
  const std::string method = is_at_peers_port ? "/decree.v1.Peer/Exchange" : "/decree.v1.KV/Put";
  for (int i = 0; i < 3; ++i) {
    Flood flood(address, method, GetParam().what, GetParam().connections, 2);
    ExpectOthersServed();
    flood.Wait();
  }
  EXPECT_LT(cluster_.PeakBytes(leader_), 256 * kMiB);
  EXPECT_THAT(cluster_.Log(leader_), testing::HasSubstr(GetParam().log));
}

// Each takes memory as it comes, before anybody may look at it.
TEST_F(HostileTest, MessagesThatDoNotEnd) {
  // No more calls together than there may be, or all would be reset.
  constexpr size_t kConnections = 20;
  constexpr size_t kCalls = 100;
  const HalfMessages half(
      cluster_.Endpoint(leader_), "/decree.v1.KV/Pipeline",
      {.connections = kConnections, .calls = kCalls, .message_bytes = 4'000'000, .bytes_sent_max = 200'000});
  ASSERT_TRUE(WaitFor([&] { return half.bytes_sent() > 40 * kMiB; }));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_LT(cluster_.PeakBytes(leader_), 256 * kMiB);
}

// The nodes may hold little, or a slow machine would not come to it: who does not greet within five seconds is ended.
class SmallFramesTest : public HostileTest, public testing::WithParamInterface<bool> {
 protected:
  SmallFramesTest() : HostileTest({"--memory-mib=256"}) { memory_max_ = 256 * kMiB + kCachesMax; }
};

// gRPC holds many times as much for each frame as it counts.
TEST_P(SmallFramesTest, CostTheirConnectionsOnly) {
  constexpr size_t kConnections = 20;
  const bool is_at_peers_port = GetParam();
  const HalfMessages half(is_at_peers_port ? cluster_.PeerAddress(leader_) : cluster_.Endpoint(leader_),
                          is_at_peers_port ? "/decree.v1.Peer/Exchange" : "/decree.v1.KV/Pipeline",
                          {.connections = kConnections,
                           .calls = is_at_peers_port ? 4u : 20u,
                           .message_bytes = 4'000'000,
                           .bytes_sent_max = 3'900'000,
                           .frame_bytes = 1});
  ASSERT_TRUE(WaitFor([&] {
    return cluster_.Log(leader_).find("nearly used up: connections without a request under way are reset") !=
           std::string::npos;
  }));
  EXPECT_TRUE(WaitFor([&] { return half.connections_lost() == kConnections; }));
  ExpectOthersServed();
  EXPECT_THAT(cluster_.StatusOf(leader_).problems(), testing::Contains(testing::HasSubstr("is nearly used up")));
}

// Each costs memory before it has said what it wants.
TEST_F(HostileTest, CallsThatSayNothing) {
  const HalfMessages silent(cluster_.Endpoint(leader_), "/decree.v1.KV/Put", {.connections = 120, .calls = 250});
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_THAT(cluster_.StatusOf(leader_).problems(),
              testing::Contains(testing::HasSubstr("as many calls are under way")));
  ExpectOthersServed();
  EXPECT_LT(cluster_.PeakBytes(leader_), 256 * kMiB);
}

// gRPC has read much of the connection at once by then, and would read as much of these.
TEST_F(HostileTest, CallsBehindALargeMessage) {
  const HalfMessages large(
      cluster_.Endpoint(leader_), "/decree.v1.KV/Put",
      {.connections = 1, .calls = 1, .message_bytes = 3'900'000, .bytes_sent_max = 3'800'000, .calls_behind = 100'000});
  ASSERT_TRUE(WaitFor([&] { return large.bytes_sent() >= 3'800'000; }));
  std::this_thread::sleep_for(std::chrono::seconds(2));
  ExpectOthersServed();
  EXPECT_LT(cluster_.PeakBytes(leader_), 256 * kMiB);
}

// A client may send the largest request and what goes with it, and no more.
TEST_F(HostileTest, AMessageThatIsTooLargeIsRefused) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(-1);
  const auto stub = v1::KV::NewStub(
      grpc::CreateCustomChannel(cluster_.Endpoint(leader_), grpc::InsecureChannelCredentials(), arguments));
  v1::PutRequest put;
  put.set_key("large");
  put.set_value(std::string(rpc::kClientMessageBytesMax + 1, 'x'));
  grpc::ClientContext context;
  v1::PutResponse response;
  const grpc::Status status = stub->Put(&context, put, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_THAT(status.error_message(), testing::HasSubstr(std::to_string(rpc::kClientMessageBytesMax)));
}

INSTANTIATE_TEST_SUITE_P(AtThePort, SmallFramesTest, testing::Bool(),
                         [](const auto& which) { return which.param ? "OfPeers" : "OfClients"; });

INSTANTIATE_TEST_SUITE_P(
    Of, FloodTest,
    testing::Values(FloodCase{"Calls", FloodOf::kCalls}, FloodCase{"CallsByHundreds", FloodOf::kCalls, 400},
                    FloodCase{"CallsAtThePeersPort", FloodOf::kCalls, 60, true},
                    FloodCase{"CancelledCallsByDozens", FloodOf::kCancelledCalls, 60},
                    FloodCase{"CancelledCallsByHundreds", FloodOf::kCancelledCalls, 400},
                    FloodCase{"Pings", FloodOf::kPings}, FloodCase{"DataOfNoCall", FloodOf::kDataOfNoCall},
                    FloodCase{"Headers", FloodOf::kHeaders, 8, false, kTooManyHeaders},
                    FloodCase{"HeadersAtThePeersPort", FloodOf::kHeaders, 8, true, kTooManyHeaders},
                    FloodCase{"Questions", FloodOf::kQuestions, 400, false, kTakesNothing},
                    FloodCase{"CallsOfNothing", FloodOf::kCallsOfNothing, 20, false, kTakesNothing}),
    [](const auto& which) { return which.param.name; });

INSTANTIATE_TEST_SUITE_P(Calls, UntakenCallsTest,
                         testing::Values(Untaken{"Get", std::make_shared<v1::GetRequest>(LargeGet())},
                                         Untaken{"Put", std::make_shared<v1::PutRequest>(LargePut())},
                                         Untaken{"Range", std::make_shared<v1::RangeRequest>(LargeRange())}),
                         [](const auto& which) { return which.param.method; });

INSTANTIATE_TEST_SUITE_P(Calls, UnreadCallsTest, testing::Range<size_t>(0, Asks().size()),
                         [](const auto& which) { return Asks()[which.param].name; });

}  // namespace
}  // namespace decree::process
