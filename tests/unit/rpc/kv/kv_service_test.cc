#include "rpc/kv/kv_service.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rpc/served_node.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;
using testing::Each;
using testing::HasSubstr;
using testing::SizeIs;

// What clients ask of one node.
class ServiceTest : public testing::Test {
 protected:
  explicit ServiceTest(uint32_t members, const Admission::Limits& limits = {}, const paxos::Options& core = {})
      : node_(members, limits, core) {}

  template <typename Request>
  Caller::Call& Send(const std::string& method, const Request& request, Duration time = Seconds(10)) {
    return client_.Send(StrCat("/decree.v1.KV/", method), request, time);
  }
  template <typename Response, typename Request>
  Caller::Answer<Response> Ask(const std::string& method, const Request& request, Duration time = Seconds(10)) {
    return client_.AnswerTo<Response>(Send(method, request, time));
  }
  Caller::Answer<v1::PutResponse> Put(const v1::PutRequest& put, Duration time = Seconds(10)) {
    return Ask<v1::PutResponse>("Put", put, time);
  }
  Caller::Answer<v1::GetResponse> Get(const std::string& key, v1::ReadMode mode = v1::READ_MODE_LINEARIZABLE,
                                      Duration time = Seconds(10)) {
    v1::GetRequest get;
    get.set_key(key);
    get.set_read(mode);
    return Ask<v1::GetResponse>("Get", get, time);
  }
  static v1::PutRequest MakePut(const std::string& key, const std::string& value) {
    v1::PutRequest put;
    put.set_key(key);
    put.set_value(value);
    return put;
  }

  ServedNode node_;
  Caller client_{node_.loop(), node_.address(), [this] { node_.Turn(); }};
};

// ---- A node alone, which leads ----

class KvServiceTest : public ServiceTest {
 protected:
  explicit KvServiceTest(const Admission::Limits& limits = {}, const paxos::Options& core = {})
      : ServiceTest(1, limits, core) {
    node_.AwaitLeadership();
  }
};

TEST_F(KvServiceTest, AWriteTellsWhereItWasCarriedOutAndWhatWasThere) {
  v1::PutRequest put = MakePut("k", "first");
  EXPECT_EQ(Put(put).response.version(), 1u);
  put.set_value("second");
  put.set_return_previous(true);
  const auto second = Put(put);
  ASSERT_TRUE(second.status.ok()) << second.status.error_message();
  EXPECT_EQ(second.response.header().node(), 1u);
  EXPECT_EQ(second.response.version(), 2u);
  EXPECT_EQ(second.response.previous().value(), "first");
  EXPECT_LT(second.response.previous().mod_revision(), second.response.header().revision());

  v1::DeleteRequest del;
  del.set_key("k");
  EXPECT_TRUE(Ask<v1::DeleteResponse>("Delete", del).response.deleted());
  const auto again = Ask<v1::DeleteResponse>("Delete", del);
  EXPECT_FALSE(again.response.deleted());
  EXPECT_EQ(again.response.header().revision(), second.response.header().revision() + 1) << "it changed something";
}

TEST_F(KvServiceTest, AReadTellsWhatIsThereAndWhichPromiseWasKept) {
  Put(MakePut("k", "v"));
  const auto found = Get("k");
  EXPECT_EQ(found.response.kv().value(), "v");
  EXPECT_EQ(found.response.read(), v1::READ_MODE_LINEARIZABLE);
  EXPECT_FALSE(Get("none").response.found());
  EXPECT_EQ(node_.kv().stale_reads(), 0u);
  const auto stale = Get("k", v1::READ_MODE_STALE);
  EXPECT_EQ(stale.response.kv().value(), "v");
  EXPECT_EQ(stale.response.read(), v1::READ_MODE_STALE);
  EXPECT_EQ(node_.kv().stale_reads(), 1u);
}

TEST_F(KvServiceTest, ASwapIsMadeOrTellsWhatStoodInItsWay) {
  Put(MakePut("k", "v"));
  v1::CompareAndSwapRequest swap;
  swap.set_key("k");
  swap.set_value("w");
  swap.set_expected_absent(true);
  const auto refused = Ask<v1::CompareAndSwapResponse>("CompareAndSwap", swap);
  ASSERT_TRUE(refused.status.ok()) << refused.status.error_message();
  EXPECT_FALSE(refused.response.swapped());
  EXPECT_EQ(refused.response.current().value(), "v");
  swap.set_expected_mod_revision(refused.response.current().mod_revision());
  const auto made = Ask<v1::CompareAndSwapResponse>("CompareAndSwap", swap);
  EXPECT_TRUE(made.response.swapped());
  EXPECT_EQ(made.response.version(), 2u);
  EXPECT_EQ(Get("k").response.kv().value(), "w");
}

TEST_F(KvServiceTest, ARangeComesInPagesOfOneRevision) {
  for (const char* key : {"a", "b", "c"}) Put(MakePut(key, "old"));
  v1::RangeRequest range;
  range.set_limit(2);
  const auto first = Ask<v1::RangeResponse>("Range", range);
  ASSERT_EQ(first.response.kvs_size(), 2);
  EXPECT_EQ(first.response.kvs(1).key(), "b");
  Put(MakePut("c", "new"));
  range.set_first(first.response.next());
  range.set_revision(first.response.revision());
  const auto second = Ask<v1::RangeResponse>("Range", range);
  ASSERT_EQ(second.response.kvs_size(), 1);
  EXPECT_EQ(second.response.kvs(0).value(), "old");
  EXPECT_EQ(second.response.next(), "");
  range.set_revision(1'000'000);
  EXPECT_EQ(Ask<v1::RangeResponse>("Range", range).status.error_code(), StatusCode::OUT_OF_RANGE);
}

TEST_F(KvServiceTest, WhatIsOverALimitIsRefusedWithTheLimit) {
  const auto expect_refusal = [](const auto& answer, const std::string& text) {
    EXPECT_EQ(answer.status.error_code(), StatusCode::INVALID_ARGUMENT) << text;
    EXPECT_THAT(answer.status.error_message(), HasSubstr(text));
    EXPECT_EQ(answer.detail.outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED) << text;
  };
  expect_refusal(Put(MakePut("", "v")), "key");
  expect_refusal(Put(MakePut(std::string(4097, 'k'), "v")), "4096");
  expect_refusal(Put(MakePut("k", std::string((1 << 20) + 1, 'v'))), "1048576");
  expect_refusal(Get(""), "key");
  v1::CompareAndSwapRequest swap;
  swap.set_key("k");
  expect_refusal(Ask<v1::CompareAndSwapResponse>("CompareAndSwap", swap), "names what it expects");
  EXPECT_EQ(node_.admission().requests(), 0u);
}

TEST_F(KvServiceTest, ARequestOfASessionIsCarriedOutOnce) {
  const uint64_t session = Ask<v1::OpenSessionResponse>("OpenSession", v1::OpenSessionRequest()).response.session();
  ASSERT_NE(session, 0u);
  v1::PutRequest put = MakePut("k", "once");
  put.mutable_header()->set_session(session);
  put.mutable_header()->set_number(1);
  const auto first = Put(put);
  Put(MakePut("k", "between"));
  const auto repeated = Put(put);
  EXPECT_EQ(repeated.response.header().revision(), first.response.header().revision());
  EXPECT_EQ(Get("k").response.kv().value(), "between");

  v1::OutcomeRequest outcome;
  *outcome.mutable_header() = put.header();
  const auto told = Ask<v1::OutcomeResponse>("Outcome", outcome);
  EXPECT_EQ(told.response.state(), v1::OutcomeResponse::STATE_ANSWERED);
  EXPECT_EQ(told.response.answer().version(), 1u);
  outcome.mutable_header()->set_number(2);
  EXPECT_EQ(Ask<v1::OutcomeResponse>("Outcome", outcome).response.state(), v1::OutcomeResponse::STATE_NOT_YET);
  outcome.set_settle(true);
  EXPECT_EQ(Ask<v1::OutcomeResponse>("Outcome", outcome).response.state(), v1::OutcomeResponse::STATE_SETTLED);

  v1::CloseSessionRequest close;
  close.mutable_header()->set_session(session);
  EXPECT_TRUE(Ask<v1::CloseSessionResponse>("CloseSession", close).status.ok());
  outcome.set_settle(false);
  const auto unknown = Ask<v1::OutcomeResponse>("Outcome", outcome);
  EXPECT_EQ(unknown.status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(unknown.detail.reason(), v1::ErrorDetail::REASON_SESSION_UNKNOWN);
}

TEST_F(KvServiceTest, APipelineAnswersEachRequestUnderItsId) {
  v1::RequestBatch batch;
  const auto add = [&batch](uint64_t id) {
    v1::PipelinedRequest* const request = batch.add_requests();
    request->set_id(id);
    return request;
  };
  *add(1)->mutable_put() = MakePut("k", "v");
  *add(2)->mutable_put() = MakePut("", "v");
  add(3);
  add(4)->mutable_get()->set_key("none");
  Caller::Call& stream = client_.Begin("/decree.v1.KV/Pipeline", Seconds(10));
  client_.Write(stream, batch);
  std::map<uint64_t, v1::PipelinedResponse> answers;
  while (answers.size() < 4) {
    v1::ResponseBatch responses;
    ASSERT_TRUE(client_.Read(stream, responses));
    for (const v1::PipelinedResponse& response : responses.responses()) answers[response.id()] = response;
  }
  EXPECT_EQ(answers[1].put().version(), 1u);
  EXPECT_EQ(answers[2].error().code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(answers[3].error().code(), StatusCode::UNIMPLEMENTED);
  EXPECT_FALSE(answers[4].get().found());
  EXPECT_EQ(node_.admission().requests(), 0u);
}

// However many requests a message has, others have their turn.
TEST_F(KvServiceTest, ALongBatchIsServedInTurns) {
  constexpr uint64_t kRequests = 6000;
  constexpr uint64_t kAtOnce = 1024;
  v1::RequestBatch batch;
  for (uint64_t id = 1; id <= kRequests; ++id) {
    v1::PipelinedRequest& request = *batch.add_requests();
    request.set_id(id);
    request.mutable_get()->set_key("none");
    request.mutable_get()->set_read(v1::READ_MODE_STALE);
  }
  Caller::Call& stream = client_.Begin("/decree.v1.KV/Pipeline", Seconds(20));
  client_.Write(stream, batch);
  uint64_t served = node_.kv().stale_reads();
  while (served < kRequests) {
    node_.Turn();
    // A message is served when it comes, and goes on at the end of that turn.
    EXPECT_LE(node_.kv().stale_reads() - served, 2 * kAtOnce);
    served = node_.kv().stale_reads();
  }
}

TEST_F(KvServiceTest, ANodeThatStopsSendsWhoeverAsksToAnother) {
  node_.kv().Close();
  const auto put = Put(MakePut("k", "v"));
  EXPECT_EQ(put.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(put.status.error_message(), HasSubstr("n1 is shutting down"));
  EXPECT_EQ(put.detail.outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  EXPECT_EQ(put.detail.reason(), v1::ErrorDetail::REASON_ASK_ANOTHER);
}

// ---- The same, with room for two requests ----

class CrowdedKvServiceTest : public KvServiceTest {
 protected:
  CrowdedKvServiceTest() : KvServiceTest({.requests_max = 2}) {}

  // As many writes as there is room for, which are not carried out while the node is stuck.
  std::vector<Caller::Call*> FillUp() {
    node_.is_stuck = true;
    std::vector<Caller::Call*> calls;
    for (const char* key : {"a", "b"}) calls.push_back(&Send("Put", MakePut(key, "v")));
    node_.TurnUntil([this] { return node_.admission().requests() == 2; });
    return calls;
  }
};

TEST_F(CrowdedKvServiceTest, WhatFindsNoRoomIsRefusedAndWhatWasLetInIsServed) {
  const std::vector<Caller::Call*> calls = FillUp();
  const auto refused = Put(MakePut("c", "v"));
  EXPECT_EQ(refused.status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.status.error_message(), HasSubstr("n1 has 2 requests"));
  EXPECT_EQ(refused.detail.outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  EXPECT_GT(refused.detail.retry_after_ms(), 0u);
  node_.is_stuck = false;
  for (Caller::Call* call : calls) EXPECT_TRUE(client_.AnswerTo<v1::PutResponse>(*call).status.ok());
  EXPECT_FALSE(Get("c").response.found());
  EXPECT_EQ(node_.admission().requests(), 0u);
}

TEST_F(CrowdedKvServiceTest, WhoeverGoesAwayLeavesItsPlace) {
  for (Caller::Call* call : FillUp()) call->context.TryCancel();
  node_.is_stuck = false;
  node_.TurnUntil([this] { return node_.admission().requests() == 0; });
  EXPECT_TRUE(Put(MakePut("c", "v")).status.ok());
}

// ---- The same, with room in the queue for the log for two commands ----

class FullQueueTest : public KvServiceTest {
 protected:
  FullQueueTest() : KvServiceTest({}, Core()) {}

  static paxos::Options Core() {
    paxos::Options core;
    core.command_bytes_max = 700;
    core.pending_bytes_max = 1500;
    return core;
  }
  // More writes than the queue has room for, which are not carried out while the node is stuck.
  std::vector<Caller::Call*> FillUp(Duration time) {
    node_.is_stuck = true;
    std::vector<Caller::Call*> calls;
    for (const char* key : {"a", "b", "c", "d", "e", "f"}) {
      calls.push_back(&Send("Put", MakePut(key, std::string(500, 'v')), time));
    }
    node_.TurnUntil([this] { return node_.admission().requests() == 6; });
    return calls;
  }
};

TEST_F(FullQueueTest, AWriteThatFindsNoRoomThereTriesAgain) {
  const std::vector<Caller::Call*> calls = FillUp(Seconds(10));
  node_.is_stuck = false;
  for (Caller::Call* call : calls) {
    const auto put = client_.AnswerTo<v1::PutResponse>(*call);
    EXPECT_TRUE(put.status.ok()) << put.status.error_message();
  }
}

TEST_F(FullQueueTest, AWriteThatFindsNoRoomInTimeWasNotCarriedOut) {
  std::vector<std::string> refusals;
  for (Caller::Call* call : FillUp(Milliseconds(300))) {
    const auto put = client_.AnswerTo<v1::PutResponse>(*call);
    if (put.detail.outcome() != v1::ErrorDetail::OUTCOME_NOT_EXECUTED) continue;
    EXPECT_EQ(put.status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    refusals.push_back(put.status.error_message());
  }
  EXPECT_THAT(refusals, SizeIs(4));
  EXPECT_THAT(refusals, Each(HasSubstr("too many writes are waiting at n1; the write was not carried out")));
  node_.is_stuck = false;
  node_.TurnUntil([this] { return node_.admission().requests() == 0; });
  EXPECT_FALSE(Get("f").response.found());
}

// ---- One of three, which the others do not answer ----

class LeaderlessKvServiceTest : public ServiceTest {
 protected:
  LeaderlessKvServiceTest() : ServiceTest(3) {}
};

TEST_F(LeaderlessKvServiceTest, WritesAndFreshReadsSayThatNobodyLeads) {
  const auto put = Put(MakePut("k", "v"), Seconds(1));
  EXPECT_EQ(put.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(put.status.error_message(), HasSubstr("no leader"));
  EXPECT_THAT(put.status.error_message(), HasSubstr("not carried out"));
  EXPECT_EQ(put.detail.outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
  EXPECT_EQ(put.detail.reason(), v1::ErrorDetail::REASON_ASK_ANOTHER);
  const auto get = Get("k", v1::READ_MODE_LINEARIZABLE, Seconds(1));
  EXPECT_EQ(get.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(get.status.error_message(), HasSubstr("a stale read would be"));
  const auto stale = Get("k", v1::READ_MODE_STALE);
  EXPECT_TRUE(stale.status.ok()) << stale.status.error_message();
}

TEST_F(LeaderlessKvServiceTest, AFollowerNamesTheLeaderToThoseWhoWantNoForwarding) {
  node_.Follow(5);
  v1::PutRequest put = MakePut("k", "v");
  put.mutable_header()->set_no_forwarding(true);
  const auto refused = Put(put);
  EXPECT_EQ(refused.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.status.error_message(), HasSubstr("n1 does not lead"));
  EXPECT_EQ(refused.detail.leader(), 2u);
  EXPECT_EQ(refused.detail.leader_address(), paxos::Voters(3).members[1].client_address);
  v1::GetRequest get;
  get.set_key("k");
  get.set_no_forwarding(true);
  EXPECT_EQ(Ask<v1::GetResponse>("Get", get).detail.leader(), 2u);
}

// It asks the leader how far it must have come, and answers when it has.
TEST_F(LeaderlessKvServiceTest, AFollowerReadsAtTheLeadersIndex) {
  node_.Follow(5);
  v1::GetRequest get;
  get.set_key("k");
  Caller::Call& call = Send("Get", get);
  std::optional<paxos::ReadIndexRequest> asked;
  node_.TurnUntil([&] {
    for (const paxos::Envelope& sent : node_.transport().sent) {
      const auto* const request = std::get_if<paxos::ReadIndexRequest>(&sent.message);
      if (request != nullptr && sent.to == paxos::NodeId(2)) asked = *request;
    }
    return asked.has_value();
  });
  node_.node().OnMessage(paxos::From(
      2, 1, paxos::ReadIndexAnswer{.request = asked->request, .served = true, .index = {}, .ballot = paxos::B(5, 2)}));
  const auto answer = client_.AnswerTo<v1::GetResponse>(call);
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.response.header().node(), 1u);
  EXPECT_EQ(answer.response.read(), v1::READ_MODE_LINEARIZABLE);
}

}  // namespace
}  // namespace decree::rpc
