#include "rpc/server_options.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::HasSubstr;
using Action = CommandLine::Action;

class ServerOptionsTest : public testing::Test {
 protected:
  CommandLine Parse(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    return ParseCommandLine(arguments, out_, err_);
  }
  // Refused, with a text that holds all of these.
  void ExpectRefused(std::vector<std::string> arguments, std::vector<std::string> texts) {
    const CommandLine line = Parse(std::move(arguments));
    EXPECT_EQ(line.action, Action::kExit);
    EXPECT_NE(line.exit_code, 0);
    for (const std::string& text : texts) EXPECT_THAT(err_.str(), HasSubstr(text));
  }

  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ServerOptionsTest, ServesWithDefaults) {
  const CommandLine line = Parse({"serve", "--data", "/d"});
  ASSERT_EQ(line.action, Action::kRun) << err_.str();
  EXPECT_EQ(line.server.data, "/d");
  EXPECT_EQ(line.server.CoreOptions().heartbeat, Milliseconds(100));
  EXPECT_EQ(line.server.CoreOptions().election_timeout_min, Milliseconds(500));
  EXPECT_EQ(line.server.CoreOptions().election_timeout_max, Milliseconds(1000));
  EXPECT_TRUE(line.server.CoreOptions().uses_lease);
  EXPECT_FALSE(Parse({"serve", "--data", "/d", "--lease", "off"}).server.CoreOptions().uses_lease);
}

TEST_F(ServerOptionsTest, AWrongValueIsRefusedWithNameValueAndWhatIsAllowed) {
  ExpectRefused({"serve", "--data", "/d", "--heartbeat-ms", "5"}, {"--heartbeat-ms", "5", "10 to"});
  ExpectRefused({"serve", "--data", "/d", "--heartbeat-ms", "fast"}, {"--heartbeat-ms", "\"fast\""});
  ExpectRefused({"serve", "--data", "/d", "--listen-client", "here"}, {"\"here\"", "HOST:PORT"});
  ExpectRefused({"serve", "--data", "/d", "--heartbeat-ms", "400"},
                {"--election-timeout-min-ms", "500", "800 or more"});
  ExpectRefused({"serve", "--data", "/d", "--lease", "maybe"}, {"--lease", "maybe", "on", "off"});
  ExpectRefused({"serve"}, {"--data"});
  ExpectRefused({"serve", "--data", "/d", "--colour", "blue"}, {"--colour"});
  ExpectRefused({}, {"subcommand"});
}

TEST_F(ServerOptionsTest, InitNamesTheMembers) {
  const CommandLine line = Parse({"init", "--data", "/d", "--cluster", "c", "--node", "2", "--member",
                                  "1=a:1,a:2", "--member", "2=b:1,b:2", "--member", "3=c:1,c:2"});
  ASSERT_EQ(line.action, Action::kInit) << err_.str();
  const auto configuration = line.init.FoundingConfiguration();
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(configuration->members.size(), 3u);
  EXPECT_EQ(configuration->lease, Milliseconds(500));
  EXPECT_TRUE(line.server.CoreOptions().ValidateWith(*configuration).ok());
  EXPECT_EQ(configuration->Find(paxos::NodeId(2))->peer_address, "b:1");
  EXPECT_EQ(configuration->Find(paxos::NodeId(2))->client_address, "b:2");
  EXPECT_EQ(configuration->q1, 2u);
  EXPECT_EQ(configuration->q2, 2u);
}

TEST_F(ServerOptionsTest, AWrongMemberOrQuorumIsRefused) {
  InitOptions init{.members = {"1=a:1,a:2", "2=b:1"}};
  EXPECT_THAT(init.FoundingConfiguration().status().ToString(), HasSubstr("\"2=b:1\""));
  init.members = {"1=a:1,a:2", "1=b:1,b:2"};
  EXPECT_THAT(init.FoundingConfiguration().status().ToString(), HasSubstr("repeated"));
  init = {.members = {"1=a:1,a:2", "2=b:1,b:2", "3=c:1,c:2"}, .q1 = 1, .q2 = 2};
  EXPECT_THAT(init.FoundingConfiguration().status().ToString(), HasSubstr("need not meet"));
}

}  // namespace
}  // namespace decree::rpc
