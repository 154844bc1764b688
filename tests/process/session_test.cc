// Writes in sessions: carried out once through kills and restarts, and what became of them can be asked.

#include <signal.h>

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include <grpcpp/create_channel.h>

#include "decree/v1/kv.grpc.pb.h"
#include "rpc/failure.h"
#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using Response = v1::OutcomeResponse;

// Speaks to one node without the client library, so that a test says what is sent and when.
class RawClient {
 public:
  explicit RawClient(const std::string& endpoint)
      : stub_(v1::KV::NewStub(grpc::CreateChannel(endpoint, grpc::InsecureChannelCredentials()))) {}

  uint64_t OpenSession() {
    v1::OpenSessionResponse response;
    const grpc::Status status = Call(&v1::KV::Stub::OpenSession, v1::OpenSessionRequest(), response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.session();
  }
  void CloseSession(uint64_t session) {
    v1::CloseSessionRequest request;
    request.mutable_header()->set_session(session);
    v1::CloseSessionResponse response;
    EXPECT_TRUE(Call(&v1::KV::Stub::CloseSession, request, response).ok());
  }
  grpc::Status Put(uint64_t session, uint64_t number, uint64_t floor, const std::string& value,
                   v1::PutResponse& response) {
    v1::PutRequest request;
    request.mutable_header()->set_session(session);
    request.mutable_header()->set_number(number);
    request.mutable_header()->set_first_unanswered(floor);
    request.set_key("k");
    request.set_value(value);
    request.set_return_previous(true);
    return Call(&v1::KV::Stub::Put, request, response);
  }
  grpc::Status Outcome(uint64_t session, uint64_t number, bool settle, Response& response) {
    v1::OutcomeRequest request;
    request.mutable_header()->set_session(session);
    request.mutable_header()->set_number(number);
    request.set_settle(settle);
    return Call(&v1::KV::Stub::Outcome, request, response);
  }
  // The detail of the last call.
  const v1::ErrorDetail& detail() const { return detail_; }

 private:
  template <typename Method, typename RequestType, typename ResponseType>
  grpc::Status Call(Method method, const RequestType& request, ResponseType& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(15));
    context.set_wait_for_ready(true);
    const grpc::Status status = ((*stub_).*method)(&context, request, &response);
    detail_ = rpc::ReadErrorDetail(context).value_or(v1::ErrorDetail());
    return status;
  }

  const std::unique_ptr<v1::KV::Stub> stub_;
  v1::ErrorDetail detail_;
};

TEST(SessionTest, CountersThroughKillsCountEachIncrementOnce) {
  ProcessCluster cluster(3);
  cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(30));
  ASSERT_TRUE(client->Put("swaps", "0").ok());
  constexpr int kSteps = 150;
  int swaps = 0;
  for (int step = 0; step < kSteps; ++step) {
    if (step % 50 == 20) cluster.Kill(cluster.AwaitLeader());
    if (step % 50 == 35) {
      for (uint32_t node = 1; node <= 3; ++node) {
        if (!cluster.IsRunning(node)) cluster.Start(node);
      }
    }
    const auto put = client->Put("puts", std::to_string(step));
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_EQ(put->version(), static_cast<uint64_t>(step) + 1);

    v1::CompareAndSwapRequest request;
    request.set_key("swaps");
    request.set_expected_value(std::to_string(swaps));
    request.set_value(std::to_string(swaps + 1));
    const auto swap = client->CompareAndSwap(std::move(request));
    ASSERT_TRUE(swap.ok()) << swap.status();
    ASSERT_TRUE(swap->swapped()) << "a swap of which a copy was carried out before";
    ++swaps;
  }
  EXPECT_EQ(client->Get("swaps")->kv().value(), std::to_string(kSteps));
  EXPECT_EQ(client->Get("puts")->kv().version(), static_cast<uint64_t>(kSteps));
  EXPECT_TRUE(cluster.AwaitAgreement());
}

// The verdict is the state machine's, which another attempt would not change.
TEST(SessionTest, AFullSessionIsToldSoAtOnceThroughAFollower) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  RawClient follower(cluster.Endpoint(leader % 3 + 1));
  const uint64_t session = follower.OpenSession();
  const uint64_t chosen = cluster.StatusOf(leader).chosen_index();
  v1::PutResponse response;
  EXPECT_EQ(follower.Put(session, 65'537, 1, "a", response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(follower.detail().reason(), v1::ErrorDetail::REASON_SESSION_FULL);
  EXPECT_EQ(follower.detail().outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  EXPECT_LT(cluster.StatusOf(leader).chosen_index(), chosen + 10);
}

TEST(SessionTest, OldRequestsAreAnsweredAsBeforeOrRefused) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  RawClient at_leader(cluster.Endpoint(leader));
  RawClient other(cluster.Endpoint(leader % 3 + 1));
  const uint64_t session = at_leader.OpenSession();
  v1::PutResponse first;
  ASSERT_TRUE(at_leader.Put(session, 1, 1, "a", first).ok());
  EXPECT_EQ(first.version(), 1u);
  const auto expect_replayed = [&](RawClient& client) {
    v1::PutResponse again;
    // The connection may not have noticed yet that the process is another.
    ASSERT_TRUE(WaitFor([&] { return client.Put(session, 1, 1, "a", again).ok(); }));
    EXPECT_EQ(again.version(), 1u);
    EXPECT_EQ(again.header().revision(), first.header().revision());
  };
  expect_replayed(at_leader);
  expect_replayed(other);

  cluster.Kill(leader);  // ...after a change of leader...
  expect_replayed(other);
  cluster.KillAll();  // ...from disk...
  for (uint32_t node = 1; node <= 3; ++node) cluster.Start(node);
  expect_replayed(other);

  v1::PutResponse response;
  EXPECT_EQ(other.Put(session, 1, 1, "other", response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(other.detail().reason(), v1::ErrorDetail::REASON_NUMBER_REUSED);
  ASSERT_TRUE(other.Put(session, 2, 2, "b", response).ok());
  EXPECT_EQ(response.version(), 2u);  // ...below the floor...
  EXPECT_EQ(other.Put(session, 1, 1, "a", response).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(other.detail().reason(), v1::ErrorDetail::REASON_BELOW_FLOOR);
  EXPECT_EQ(other.detail().outcome(), v1::ErrorDetail::OUTCOME_UNKNOWN);
  other.CloseSession(session);  // ...and after the end of the session.
  EXPECT_EQ(other.Put(session, 2, 2, "b", response).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(other.detail().reason(), v1::ErrorDetail::REASON_SESSION_UNKNOWN);
  EXPECT_EQ(cluster.NewClient()->Get("k")->kv().version(), 2u);
}

TEST(SessionTest, AForwardedWriteThatIsLostSightOfMayHaveHappened) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  const uint32_t follower = leader % 3 + 1;
  RawClient client(cluster.Endpoint(follower));
  const uint64_t session = client.OpenSession();
  v1::PutResponse response;
  ASSERT_TRUE(client.Put(session, 1, 1, "a", response).ok());
  cluster.Signal(follower % 3 + 1, SIGSTOP);
  cluster.Signal(leader, SIGSTOP);
  auto put = std::async(std::launch::async, [&] { return client.Put(session, 2, 2, "b", response); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // It is on its way to the leader.
  cluster.Kill(leader);
  EXPECT_EQ(put.get().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(client.detail().outcome(), v1::ErrorDetail::OUTCOME_UNKNOWN);
  EXPECT_TRUE(client.detail().safe_to_retry());
  cluster.Signal(follower % 3 + 1, SIGCONT);
}

TEST(SessionTest, OutcomeTellsWhatBecameOfARequestAndSettlesIt) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  RawClient client(cluster.Endpoint(leader % 3 + 1));  // a follower
  const uint64_t session = client.OpenSession();
  v1::PutResponse put;
  ASSERT_TRUE(client.Put(session, 1, 1, "a", put).ok());
  Response outcome;
  ASSERT_TRUE(client.Outcome(session, 1, false, outcome).ok());
  EXPECT_EQ(outcome.state(), Response::STATE_ANSWERED);
  EXPECT_EQ(outcome.answer().revision(), put.header().revision());
  EXPECT_EQ(outcome.answer().version(), 1u);
  ASSERT_TRUE(client.Outcome(session, 2, false, outcome).ok());
  EXPECT_EQ(outcome.state(), Response::STATE_NOT_YET);
  ASSERT_TRUE(client.Outcome(session, 2, true, outcome).ok());
  EXPECT_EQ(outcome.state(), Response::STATE_SETTLED);
  EXPECT_EQ(client.Put(session, 2, 1, "b", put).error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(client.detail().reason(), v1::ErrorDetail::REASON_SETTLED);
  ASSERT_TRUE(client.Put(session, 3, 3, "c", put).ok());
  EXPECT_EQ(put.previous().value(), "a");
  for (const bool settle : {false, true}) {
    ASSERT_TRUE(client.Outcome(session, 3, settle, outcome).ok());
    EXPECT_EQ(outcome.answer().previous().value(), "a") << settle;
  }
  ASSERT_TRUE(client.Put(session, 3, 3, "c", put).ok());
  EXPECT_EQ(put.previous().value(), "a") << "a repetition tells another value";
  ASSERT_TRUE(client.Outcome(session, 1, false, outcome).ok());
  EXPECT_EQ(outcome.state(), Response::STATE_FORGOTTEN);
  EXPECT_EQ(client.Outcome(session + 1, 1, false, outcome).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(client.Outcome(session, 0, false, outcome).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(SessionTest, AWriteThatFailedCanBeAskedFor) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(3));
  ASSERT_TRUE(client->Put("k", "before").ok());
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != leader) cluster.Signal(node, SIGSTOP);
  }
  const auto put = client->Put("k", "after");
  ASSERT_FALSE(put.ok());
  ASSERT_TRUE(rpc::MayHaveHappened(put.status())) << put.status();
  const v1::ErrorDetail detail = rpc::ErrorDetailOf(put.status());
  EXPECT_FALSE(detail.safe_to_retry());
  ASSERT_NE(detail.session(), 0u);
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != leader) cluster.Signal(node, SIGCONT);
  }
  cluster.AwaitLeader();
  const auto outcome = cluster.NewClient(Seconds(15))->Outcome(detail.session(), detail.number(), true);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const std::string value = cluster.NewClient()->Get("k")->kv().value();
  if (outcome->state() == Response::STATE_ANSWERED) {
    EXPECT_EQ(value, "after");
  } else {
    EXPECT_EQ(outcome->state(), Response::STATE_SETTLED);
    EXPECT_EQ(value, "before");
  }
}

}  // namespace
}  // namespace decree::process
