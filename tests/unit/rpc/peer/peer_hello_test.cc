#include "rpc/peer/peer_hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::rpc {
namespace {

using testing::HasSubstr;

class PeerHelloTest : public testing::Test {
 protected:
  PeerIdentity Identity(uint32_t node, const std::string& cluster = "test") {
    return {.cluster = cluster, .self = paxos::Self(node), .founding = 42};
  }
  // What n1 says to a greeting of n2's that was spoilt.
  std::string Answer(const std::function<void(v1::PeerHello&)>& spoil) {
    v1::PeerHello hello = MakeHello(Identity(2), paxos::NodeId(1), v1::STREAM_KIND_BULK);
    spoil(hello);
    return CheckHello(hello, Identity(1), paxos::Voters(3)).ToString();
  }
};

TEST_F(PeerHelloTest, APeerIsLetIn) {
  EXPECT_EQ(Answer([](auto&) {}), "OK");
}

TEST_F(PeerHelloTest, AStrangerIsToldWhatDoesNotFit) {
  EXPECT_THAT(Answer([](auto& hello) { hello.set_cluster("other"); }), HasSubstr("belongs to cluster \"other\""));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_to(3); }), HasSubstr("meant to reach n3 and has reached n1"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_from(9); }), HasSubstr("n9 is no peer of n1"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_from(1); }), HasSubstr("n1 is no peer of n1"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_protocol(2); }), HasSubstr("run the same version of decreed"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_founding(43); }), HasSubstr("formatted with different members"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_incarnation(5); }), HasSubstr("was formatted anew"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_life(0); }), HasSubstr("no life"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_kind(v1::STREAM_KIND_UNSPECIFIED); }),
              HasSubstr("a stream of kind 0, unknown to n1"));
  EXPECT_THAT(Answer([](auto& hello) { hello.set_kind(static_cast<v1::StreamKind>(4)); }),
              HasSubstr("a stream of kind 4, unknown to n1"));
}

// It stands in the log and in the status.
TEST_F(PeerHelloTest, AStrangersNameIsNotRepeatedWhateverItIs) {
  const std::string answer = Answer([](auto& hello) { hello.set_cluster("a\n" + std::string(60'000, 'b')); });
  EXPECT_THAT(answer, HasSubstr("belongs to cluster \"a?bbb"));
  EXPECT_LT(answer.size(), 300u);
}

}  // namespace
}  // namespace decree::rpc
