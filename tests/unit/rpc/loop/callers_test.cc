#include "rpc/loop/callers.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rpc/loop/loop_fixture.h"

namespace decree::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CallersTest : public testing::Test {
 protected:
  using Connection = std::shared_ptr<Callers::Connection>;

  // A connection with so many calls that say nothing.
  Connection Call(const std::string& address, int calls) {
    Connection connection = callers_.Find(address);
    for (int i = 0; i < calls; ++i) {
      connection->OnCall();
      EXPECT_TRUE(callers_.LetIn(*connection).ok());
    }
    return connection;
  }

  ManualLoop loop_;
  Budget answers_{loop_.loop(), {}};
  Budget requests_{loop_.loop(), {}};
  std::vector<std::string> cut_off_;
  int drops_ = 0;
  Callers callers_{{.answers = answers_, .requests = requests_},
                   {.calls = 100, .calls_held = 200, .calls_of_one = 1000, .unserved_of_one = 3000},
                   {.disconnect = [this](const std::string& address) { cut_off_.push_back(address); },
                    .use_of = [](const std::string&) { return std::make_shared<bool>(false); },
                    .drop_unread = [this] { ++drops_; }}};
};

// gRPC takes its time to clear calls away, and may take in others meanwhile.
TEST_F(CallersTest, CallsOfCutOffConnectionsAreHeldUntilTheyAreGone) {
  const Connection a = Call("a", 100);
  EXPECT_THAT(cut_off_, IsEmpty());
  const Connection b = Call("b", 100);
  EXPECT_THAT(cut_off_, ElementsAre("a"));
  EXPECT_EQ(callers_.calls(), 100u);
  EXPECT_EQ(drops_, 0);
  const Connection c = Call("c", 64);
  EXPECT_THAT(cut_off_, ElementsAre("a", "b"));
  EXPECT_EQ(drops_, 1);
  const Connection d = Call("d", 2);
  EXPECT_EQ(drops_, 2) << "they still come";
  for (int i = 0; i < 100; ++i) a->OnCallGone();
  const Connection e = Call("e", 1);
  EXPECT_EQ(drops_, 2) << "there are not too many any more";
  for (int i = 0; i < 34; ++i) Call("e", 1);
  EXPECT_EQ(drops_, 3) << "there are again";
}

// However few of them there are at a time.
TEST_F(CallersTest, CallsThatEndOneAfterTheOtherWithoutARequestAreTooManySomeTime) {
  const Connection connection = callers_.Find("a");
  const auto call = [&](bool is_served) {
    connection->OnCall();
    const bool is_let_in = callers_.LetIn(*connection).ok();
    if (is_served) {
      connection->OnBusy();
      connection->OnIdle();
    }
    connection->OnCallGone();
    return is_let_in;
  };
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(call(i % 500 == 0)) << i;
  EXPECT_THAT(cut_off_, IsEmpty());
  for (int i = 0; i < 2500; ++i) ASSERT_TRUE(call(false)) << "a node that was paused finds many that were given up";
  for (int i = 0; i < 1000 && call(false); ++i) continue;
  EXPECT_THAT(cut_off_, ElementsAre("a"));
}

}  // namespace
}  // namespace decree::rpc
