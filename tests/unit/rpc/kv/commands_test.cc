// What is checked at the door: of requests as clients send them, and of commands as other nodes forward them.

#include "rpc/kv/commands.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::HasSubstr;

v1::PutRequest PutOf(uint64_t session, uint64_t number, uint64_t first_unanswered) {
  v1::PutRequest request;
  request.mutable_header()->set_session(session);
  request.mutable_header()->set_number(number);
  request.mutable_header()->set_first_unanswered(first_unanswered);
  request.set_key("k");
  request.set_value("v");
  return request;
}

template <typename Request>
std::string WhatIsWrong(Request request) {
  return std::string(Check(MakeCommand(request)).message());
}

TEST(CommandsTest, AWriteTakesKeyAndValueOutOfItsRequest) {
  v1::PutRequest request = PutOf(7, 3, 2);
  request.set_return_previous(true);
  const v1::Command command = MakeCommand(request);
  EXPECT_EQ(command.session(), 7u);
  EXPECT_EQ(command.number(), 3u);
  EXPECT_EQ(command.first_unanswered(), 2u);
  EXPECT_EQ(command.put().key(), "k");
  EXPECT_EQ(command.put().value(), "v");
  EXPECT_TRUE(command.put().return_previous());
  EXPECT_EQ(request.value(), "");
  EXPECT_TRUE(Check(command).ok());
}

TEST(CommandsTest, ASwapSaysWhatItExpects) {
  v1::CompareAndSwapRequest request;
  request.set_key("k");
  EXPECT_THAT(WhatIsWrong(request), HasSubstr("names what it expects"));
  request.set_expected_absent(false);
  EXPECT_THAT(WhatIsWrong(request), HasSubstr("expected_absent is false"));
  request.set_expected_value("old");
  v1::CompareAndSwapRequest by_value = request;
  EXPECT_EQ(MakeCommand(by_value).compare_and_swap().expected_value(), "old");
  request.set_expected_version(4);
  v1::CompareAndSwapRequest by_version = request;
  EXPECT_EQ(MakeCommand(by_version).compare_and_swap().expected_version(), 4u);
  request.set_expected_mod_revision(5);
  v1::CompareAndSwapRequest by_revision = request;
  EXPECT_EQ(MakeCommand(by_revision).compare_and_swap().expected_mod_revision(), 5u);
  request.set_expected_absent(true);
  v1::CompareAndSwapRequest by_absence = request;
  const v1::Command command = MakeCommand(by_absence);
  EXPECT_TRUE(command.compare_and_swap().expected_absent());
  EXPECT_TRUE(Check(command).ok());
}

TEST(CommandsTest, SessionAndNumberBelongTogether) {
  EXPECT_EQ(WhatIsWrong(PutOf(0, 0, 0)), "");
  EXPECT_EQ(WhatIsWrong(PutOf(7, 3, 3)), "");
  EXPECT_THAT(WhatIsWrong(PutOf(0, 3, 0)), HasSubstr("a number and no session"));
  EXPECT_THAT(WhatIsWrong(PutOf(7, 0, 0)), HasSubstr("a session and no number"));
  EXPECT_THAT(WhatIsWrong(PutOf(7, 3, 4)), HasSubstr("first_unanswered is 4, above the request's own number 3"));
}

TEST(CommandsTest, WhatConcernsSessionsNamesThemOrNot) {
  v1::OpenSessionRequest open;
  EXPECT_EQ(WhatIsWrong(open), "");
  open.mutable_header()->set_session(7);
  EXPECT_THAT(WhatIsWrong(open), HasSubstr("given to it, not chosen"));
  v1::CloseSessionRequest close;
  EXPECT_THAT(WhatIsWrong(close), HasSubstr("the session to close is not given"));
  close.mutable_header()->set_session(7);
  EXPECT_EQ(WhatIsWrong(close), "");
  v1::OutcomeRequest outcome;
  outcome.mutable_header()->set_session(7);
  EXPECT_THAT(WhatIsWrong(outcome), HasSubstr("session and number"));
  EXPECT_THAT(std::string(Check(outcome).message()), HasSubstr("session and number"));
  outcome.mutable_header()->set_number(1);
  EXPECT_EQ(WhatIsWrong(outcome), "");
  EXPECT_TRUE(Check(outcome).ok());
}

TEST(CommandsTest, WhatAnotherNodeForwardsIsCheckedLikewise) {
  EXPECT_THAT(std::string(Check(v1::Command()).message()), HasSubstr("no operation that is known here"));
  v1::Command command;
  command.mutable_put()->set_key("");
  EXPECT_THAT(std::string(Check(command).message()), HasSubstr("the key is empty"));
  command.mutable_put()->set_key("k");
  command.mutable_put()->set_value(std::string((1 << 20) + 1, 'v'));
  EXPECT_THAT(std::string(Check(command).message()), HasSubstr("the limit is 1048576"));
  command.mutable_settle();
  EXPECT_THAT(std::string(Check(command).message()), HasSubstr("session and number"));
}

TEST(CommandsTest, ReadsNameAModeThatIsKnown) {
  v1::GetRequest get;
  get.set_key("k");
  EXPECT_TRUE(Check(get).ok());
  get.set_read(static_cast<v1::ReadMode>(9));
  EXPECT_THAT(std::string(Check(get).message()), HasSubstr("read mode 9 is not known"));
  v1::RangeRequest range;
  EXPECT_TRUE(Check(range).ok());
  range.set_end(std::string(4097, 'k'));
  EXPECT_THAT(std::string(Check(range).message()), HasSubstr("the limit is 4096"));
}

}  // namespace
}  // namespace decree::rpc
