#include "rpc/admin/admin_service.h"

#include <algorithm>
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
using testing::Contains;
using testing::HasSubstr;

class AdminServiceTest : public testing::Test {
 protected:
  explicit AdminServiceTest(uint32_t members = 1) : node_(members) {}

  v1::NodeStatusResponse NodeStatus() {
    return client_
        .AnswerTo<v1::NodeStatusResponse>(client_.Send("/decree.v1.Admin/NodeStatus", v1::NodeStatusRequest()))
        .response;
  }
  Caller::Call& BeginTransfer(uint32_t heir) {
    v1::TransferLeadershipRequest request;
    request.set_heir(heir);
    return client_.Send("/decree.v1.Admin/TransferLeadership", request);
  }
  Caller::Answer<v1::TransferLeadershipResponse> Transfer(uint32_t heir) {
    return client_.AnswerTo<v1::TransferLeadershipResponse>(BeginTransfer(heir));
  }

  ServedNode node_;
  Caller client_{node_.loop(), node_.address(), [this] { node_.Turn(); }};
};

TEST_F(AdminServiceTest, StatusTellsOfTheNodeAndOfWhatIsWrong) {
  node_.AwaitLeadership();
  node_.problems = [] { return std::vector<std::string>{"the roof leaks"}; };
  const v1::NodeStatusResponse status = NodeStatus();
  EXPECT_EQ(status.cluster(), "test");
  EXPECT_EQ(status.node(), 1u);
  EXPECT_EQ(status.leader(), 1u);
  EXPECT_EQ(status.role(), "leader");
  EXPECT_EQ(status.lease_state(), "held");
  EXPECT_EQ(status.members_size(), 1);
  EXPECT_EQ(status.members(0).client_address(), paxos::Voters(1).members[0].client_address);
  EXPECT_EQ(status.peers_connected(), 2u);
  EXPECT_EQ(status.client_connections(), 7u);
  EXPECT_EQ(status.chosen_index(), node_.node().replica().chosen_index().value());
  EXPECT_EQ(status.applied_index(), status.chosen_index());
  EXPECT_THAT(status.problems(), Contains("the roof leaks"));
}

// Each holds some kilobytes until it has left.
TEST_F(AdminServiceTest, StatusesWaitForRoom) {
  Budget::Holder others(node_.answers(), [] { return "others"; });
  const size_t all = 64 << 20;
  const Budget::Piece held = others.Charge(all);
  size_t held_max = 0;
  node_.problems = [&] {
    held_max = std::max(held_max, node_.answers().held());
    return std::vector<std::string>{std::string(4000, 'p')};
  };
  std::vector<Caller::Call*> calls;
  for (int i = 0; i < 64; ++i) calls.push_back(&client_.Begin("/decree.v1.Admin/NodeStatus"));
  for (Caller::Call* const call : calls) {
    node_.TurnUntil([&] { return call->begun.is_set(); });
  }
  for (Caller::Call* const call : calls) {
    call->stream->WriteLast(client_.Bytes(v1::NodeStatusRequest()), {}, node_.loop().Tag(call->sent));
  }
  for (Caller::Call* const call : calls) {
    node_.TurnUntil([&] { return call->sent.is_set(); });
    EXPECT_TRUE(client_.AnswerTo<v1::NodeStatusResponse>(*call).status.ok());
  }
  EXPECT_GT(held_max, all);
  EXPECT_LT(held_max, all + (32 << 10));
}

// Nobody counts what they hold.
TEST_F(AdminServiceTest, RequestsAreSmall) {
  v1::NodeStatusRequest request;
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(99, std::string(5000, 'x'));
  const grpc::Status refused = client_.Status(client_.Send("/decree.v1.Admin/NodeStatus", request));
  EXPECT_EQ(refused.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("of at most 64 fields and 4096 bytes"));
}

TEST_F(AdminServiceTest, ANodeAloneHasNobodyToHandOverTo) {
  node_.AwaitLeadership();
  EXPECT_THAT(Transfer(1).status.error_message(), HasSubstr("n1 leads already"));
  EXPECT_THAT(Transfer(9).status.error_message(), HasSubstr("n9 is no voting member"));
  EXPECT_EQ(Transfer(9).status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(node_.node().ReadUnderLease()) << "it leads no more";
}

class AdminOfThreeTest : public AdminServiceTest {
 protected:
  AdminOfThreeTest() : AdminServiceTest(3) {}

  // With the help of n2, which has been heard for a while.
  void Lead() {
    node_.AwaitLeadership([this] { AnswerAsNode2(); });
  }
  void AnswerAsNode2() {
    for (const paxos::Envelope& sent : std::exchange(node_.transport().sent, {})) {
      const auto answer = sent.to == paxos::NodeId(2) ? paxos::YesTo(sent.message) : std::nullopt;
      if (answer.has_value()) node_.node().OnMessage(paxos::From(2, 1, *answer));
    }
  }
};

TEST_F(AdminOfThreeTest, AFollowerNamesTheLeader) {
  node_.Follow(5);
  const auto refused = Transfer(1);
  EXPECT_EQ(refused.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.status.error_message(), HasSubstr("n1 does not lead"));
  EXPECT_EQ(refused.detail.leader(), 2u);
}

TEST_F(AdminOfThreeTest, AHeirThatIsNotHeardIsRefused) {
  Lead();
  const auto refused = Transfer(3);
  EXPECT_EQ(refused.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.status.error_message(), HasSubstr("n3 was not heard from lately"));
  EXPECT_TRUE(node_.node().ReadUnderLease());
}

// The call ends when somebody else leads, and one at a time is enough.
TEST_F(AdminOfThreeTest, ATransferIsAnsweredWhenTheHeirLeads) {
  Lead();
  const uint64_t round = node_.node().replica().ballot().round;
  Caller::Call& call = BeginTransfer(2);
  node_.TurnUntil([this] { return node_.node().replica().leader() == paxos::kNoNode; });
  const auto another = Transfer(2);
  EXPECT_EQ(another.status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(another.status.error_message(), HasSubstr("another transfer is under way"));
  node_.Follow(round + 1);
  const auto answer = client_.AnswerTo<v1::TransferLeadershipResponse>(call);
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.response.leader(), 2u);
}

}  // namespace
}  // namespace decree::rpc
