// Pipelines as a client sees them: each request is answered under its id and by its own merit, and what
// happens to the stream happens to nothing else.

#include <signal.h>

#include <future>

#include <gtest/gtest.h>

#include "tests/process/process_cluster.h"
#include "tests/process/raw_pipeline.h"

namespace decree::process {
namespace {

TEST(PipelineTest, EachRequestIsAnsweredByItsOwnMerit) {
  ProcessCluster cluster(3);
  RawPipeline pipeline(cluster.Endpoint(cluster.AwaitLeader()));
  pipeline.AddPut(7, "a", "1");
  ASSERT_TRUE(pipeline.Send());
  EXPECT_EQ(pipeline.ReadOne(7).put().version(), 1u);

  pipeline.Add(11).mutable_get()->set_key("a");
  pipeline.Add(12).mutable_get()->set_key("missing");
  pipeline.AddPut(13, "", "a key that is none");
  v1::CompareAndSwapRequest& swap = *pipeline.Add(14).mutable_compare_and_swap();
  swap.set_key("b");
  swap.set_value("2");
  swap.set_expected_absent(true);
  pipeline.Add(15).mutable_delete_()->set_key("nothing");
  pipeline.Add(16);
  ASSERT_TRUE(pipeline.Send());
  auto answers = pipeline.Read(6);
  EXPECT_EQ(answers[11].get().kv().value(), "1");
  ASSERT_TRUE(answers[12].has_get());
  EXPECT_FALSE(answers[12].get().found());
  EXPECT_EQ(answers[13].error().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(answers[13].error().detail().outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  EXPECT_TRUE(answers[14].compare_and_swap().swapped());
  ASSERT_TRUE(answers[15].has_delete_());
  EXPECT_FALSE(answers[15].delete_().deleted());
  EXPECT_EQ(answers[16].error().code(), grpc::StatusCode::UNIMPLEMENTED);

  pipeline.AddPut(21, "a", "3");
  ASSERT_TRUE(pipeline.Send());
  pipeline.SendNoMore();
  EXPECT_EQ(pipeline.ReadOne(21).put().version(), 2u) << "what was sent before the end is answered";
  EXPECT_TRUE(pipeline.HasEnded());
  EXPECT_TRUE(pipeline.Finish().ok());
}

TEST(PipelineTest, CopiesOfARequestShareItsAnswerAndAnotherOfItsNumberIsRefused) {
  ProcessCluster cluster(3);
  const std::string leader = cluster.Endpoint(cluster.AwaitLeader());
  RawPipeline pipeline(leader);
  const uint64_t session = pipeline.OpenSession();
  for (const auto& [id, value] : std::map<uint64_t, std::string>{{1, "a"}, {2, "b"}, {3, "a"}}) {
    pipeline.AddPut(id, "k", value);
    v1::RequestHeader& header = pipeline.HeaderOfLastPut();
    header.set_session(session);
    header.set_number(1);
    header.set_first_unanswered(1);
  }
  ASSERT_TRUE(pipeline.Send());
  auto answers = pipeline.Read(3);
  EXPECT_EQ(answers[1].put().version(), 1u);
  EXPECT_EQ(answers[3].put().version(), 1u);
  EXPECT_EQ(answers[3].put().header().revision(), answers[1].put().header().revision());
  EXPECT_EQ(answers[2].error().detail().reason(), v1::ErrorDetail::REASON_NUMBER_REUSED);
}

TEST(PipelineTest, FollowerForwardsOrNamesTheLeader) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  RawPipeline pipeline(cluster.Endpoint(leader % 3 + 1));
  pipeline.AddPut(1, "k", "v");
  v1::PipelinedRequest& direct = pipeline.Add(2);
  direct.mutable_put()->set_key("k");
  direct.mutable_put()->mutable_header()->set_no_forwarding(true);
  ASSERT_TRUE(pipeline.Send());
  auto answers = pipeline.Read(2);
  EXPECT_EQ(answers[1].put().header().node(), leader) << answers[1].DebugString();
  EXPECT_EQ(answers[2].error().code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(answers[2].error().detail().leader_address(), cluster.Endpoint(leader));
}

TEST(PipelineTest, AnswersThatNobodyTakesHoldTheRestBack) {
  ProcessCluster cluster(3);
  const uint32_t node = cluster.AwaitLeader();
  RawPipeline pipeline(cluster.Endpoint(node));
  pipeline.AddPut(1, "large", std::string(kMiB, 'x'));
  ASSERT_TRUE(pipeline.Send());
  ASSERT_TRUE(pipeline.ReadOne(1).has_put());
  const uint64_t before = cluster.ResidentBytes(node);

  constexpr size_t kGets = 400;
  for (size_t i = 0; i < kGets; ++i) pipeline.AddStaleGet(100 + i, "large");
  ASSERT_TRUE(pipeline.Send());
  // Another client is served meanwhile, and the memory stays what it was.
  const auto other = cluster.NewClient();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(other->Put("small", "v").ok());
  EXPECT_LT(cluster.ResidentBytes(node), before + 64 * kMiB);

  const auto answers = pipeline.Read(kGets);
  ASSERT_EQ(answers.size(), kGets);
  for (const auto& [id, answer] : answers) {
    EXPECT_EQ(answer.get().kv().value().size(), kMiB) << answer.error().DebugString();
  }
  EXPECT_LT(cluster.ResidentBytes(node), before + 64 * kMiB);
}

TEST(PipelineTest, LargeBatchIsServedInTurns) {
  ProcessCluster cluster(3);
  RawPipeline pipeline(cluster.Endpoint(cluster.AwaitLeader()));
  constexpr size_t kGets = 20'000;
  for (size_t i = 0; i < kGets; ++i) pipeline.AddStaleGet(i, "missing");
  ASSERT_TRUE(pipeline.Send());
  auto answers = pipeline.Read(1);
  EXPECT_LE(pipeline.last_batch_size(), 4096) << "all were served before the others had their turn";
  answers.merge(pipeline.Read(kGets - answers.size()));
  ASSERT_EQ(answers.size(), kGets);
  for (const auto& [id, answer] : answers) EXPECT_TRUE(answer.has_get()) << answer.error().DebugString();
}

TEST(PipelineTest, RequestTooLargeForAnyMessageHarmsNoOther) {
  ProcessCluster cluster(3);
  cluster.AwaitLeader();
  const auto client = cluster.NewClient();
  ASSERT_TRUE(client->Put("before", "v").ok());
  std::promise<Status> small;
  v1::PutRequest request;
  request.set_key("small");
  client->Put(request, [&small](const auto& put) { small.set_value(put.status()); });
  for (const size_t mebibytes : {3, 20}) {
    const auto put = client->Put("large", std::string(mebibytes * kMiB, 'x'));
    EXPECT_FALSE(put.ok());
    EXPECT_FALSE(rpc::MayHaveHappened(put.status())) << put.status();
  }
  const Status status = small.get_future().get();
  EXPECT_TRUE(status.ok()) << status;
}

TEST(PipelineTest, DeadlineEndsTheRequestAndNotTheStream) {
  const std::vector<std::string> patient{"--election-timeout-min-ms", "5000", "--election-timeout-max-ms", "6000"};
  ProcessCluster cluster(3, {.init = patient, .serve = patient});
  const uint32_t leader = cluster.AwaitLeader();
  RawPipeline pipeline(cluster.Endpoint(leader));
  RawPipeline abandoned(cluster.Endpoint(leader));
  const auto signal_followers = [&](int signal) {
    cluster.Signal(leader % 3 + 1, signal);
    cluster.Signal((leader + 1) % 3 + 1, signal);
  };
  signal_followers(SIGSTOP);
  pipeline.AddPut(1, "late", "1");
  pipeline.AddPut(2, "patient", "1");
  ASSERT_TRUE(pipeline.Send());
  v1::PipelinedRequest& hasty = pipeline.Add(3);
  hasty.set_time_left_us(200'000);
  hasty.mutable_put()->set_key("hasty");
  ASSERT_TRUE(pipeline.Send());
  const v1::PipelinedResponse late = pipeline.ReadOne(3);
  EXPECT_EQ(late.error().code(), grpc::StatusCode::DEADLINE_EXCEEDED) << late.DebugString();
  EXPECT_EQ(late.error().detail().outcome(), v1::ErrorDetail::OUTCOME_UNKNOWN);
  // A client that goes away leaves its requests behind, and they harm nobody.
  abandoned.AddPut(1, "abandoned", "1");
  ASSERT_TRUE(abandoned.Send());
  abandoned.Cancel();
  signal_followers(SIGCONT);
  EXPECT_EQ(pipeline.Read(2).size(), 2u);
  const auto client = cluster.NewClient();
  EXPECT_TRUE(client->Get("patient")->found());
}

TEST(PipelineTest, NodeThatStopsAnswersAndEndsTheStream) {
  ProcessCluster cluster(3);
  const uint32_t leader = cluster.AwaitLeader();
  RawPipeline idle(cluster.Endpoint(leader));
  RawPipeline busy(cluster.Endpoint(leader));
  idle.AddPut(1, "k", "v");
  ASSERT_TRUE(idle.Send());
  ASSERT_TRUE(idle.ReadOne(1).has_put());
  for (uint64_t id = 1; id <= 100; ++id) busy.AddPut(id, "k", "v");
  ASSERT_TRUE(busy.Send());
  cluster.Signal(leader, SIGTERM);
  EXPECT_EQ(busy.Read(100).size(), 100u);
  for (RawPipeline* const pipeline : {&idle, &busy}) {
    EXPECT_TRUE(pipeline->HasEnded());
    const grpc::Status status = pipeline->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(status.error_message(), "the node is shutting down");
  }
  EXPECT_EQ(cluster.Wait(leader), 0);
}

}  // namespace
}  // namespace decree::process
