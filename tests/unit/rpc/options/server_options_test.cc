#include "rpc/options/server_options.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Action = CommandLine::Action;

// A variable of the environment, as long as this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* const name_;
};

class ServerOptionsTest : public testing::Test {
 protected:
  ~ServerOptionsTest() override { std::filesystem::remove(file_); }

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

  // Serves with a file of these lines.
  CommandLine ParseFile(const std::string& lines, std::vector<std::string> more = {}) {
    std::ofstream(file_) << lines;
    more.insert(more.begin(), {"serve", "--data", "/d", "--config", file_});
    return Parse(std::move(more));
  }
  void ExpectFileRefused(const std::string& lines, std::vector<std::string> texts) {
    std::ofstream(file_) << lines;
    ExpectRefused({"serve", "--data", "/d", "--config", file_}, std::move(texts));
  }

  const std::string file_ = testing::TempDir() + "decreed_options_" + std::to_string(getpid()) + ".toml";
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ServerOptionsTest, ServesWithDefaults) {
  const CommandLine line = Parse({"serve", "--data", "/d"});
  ASSERT_EQ(line.action, Action::kRun) << err_.str();
  EXPECT_EQ(line.server.data, "/d");
  EXPECT_EQ(line.server.core.heartbeat, Milliseconds(100));
  EXPECT_EQ(line.server.core.election_timeout_min, Milliseconds(500));
  EXPECT_EQ(line.server.core.election_timeout_max, Milliseconds(1000));
  EXPECT_TRUE(line.server.core.uses_lease);
  EXPECT_FALSE(Parse({"serve", "--data", "/d", "--lease", "off"}).server.core.uses_lease);
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
  ExpectRefused({}, {"a command must be given"});
  ExpectRefused({"bogus"}, {"bogus"});
}

TEST_F(ServerOptionsTest, AFlagCountsBeforeTheEnvironmentAndThatBeforeTheFile) {
  const std::string file = "heartbeat-ms = 110\nrequests-max = 7 # few\n";
  EXPECT_EQ(ParseFile(file).server.core.heartbeat, Milliseconds(110)) << err_.str();
  const Variable heartbeat("DECREED_HEARTBEAT_MS", "120");
  EXPECT_EQ(ParseFile(file).server.core.heartbeat, Milliseconds(120));
  EXPECT_EQ(ParseFile(file, {"--heartbeat-ms", "130"}).server.core.heartbeat, Milliseconds(130));
  EXPECT_EQ(ParseFile(file).server.requests_max, 7u);
  std::ofstream(file_) << "requests-max = 8\n";
  const Variable config("DECREED_CONFIG", file_.c_str());
  EXPECT_EQ(Parse({"serve", "--data", "/d"}).server.requests_max, 8u);
}

TEST_F(ServerOptionsTest, ARefusalSaysWhereTheValueWasSet) {
  ExpectRefused({"serve", "--data", "/d", "--heartbeat-ms=5"}, {"--heartbeat-ms is set on the command line"});
  ExpectFileRefused("\n\nheartbeat-ms = 5\n", {"10 to 10000", file_ + ", line 3"});
  // A contradiction: both places.
  const Variable heartbeat("DECREED_HEARTBEAT_MS", "400");
  ExpectFileRefused("election-timeout-min-ms = 600\n",
                    {"600 is not allowed", "800 or more", file_ + ", line 1",
                     "--heartbeat-ms is set in the environment, DECREED_HEARTBEAT_MS"});
  ExpectRefused({"serve", "--data", "/d"}, {"--election-timeout-min-ms is not set, and has its default"});
}

TEST_F(ServerOptionsTest, AFileThatIsNoneIsRefusedWithItsLine) {
  ExpectFileRefused("# fine\nheartbeat = 100\n", {file_ + ", line 2: heartbeat is no option"});
  ExpectFileRefused("heartbeat-ms = \n", {file_ + ", line 1"});
  ExpectFileRefused("requests-max = 1\nrequests-max = 2\n", {file_ + ", line 2", "requests-max"});
  ExpectFileRefused("[serve]\nrequests-max = 1\n", {file_ + ", line 1", "no tables"});
  ExpectFileRefused("requests-max = [1, 2]\n", {file_ + ", line 1", "one value"});
  ExpectFileRefused("member = \"1=a:1,a:2\"\n", {"member is no option"});
  ExpectFileRefused("config = \"other\"\n", {"config is no option"});
  ExpectRefused({"serve", "--data", "/d", "--config", "/absent.toml"}, {"/absent.toml", "cannot be read"});
  ExpectRefused({"serve", "--data", "/d", "--config", "/"}, {"/: cannot be read"});
}

TEST_F(ServerOptionsTest, LettersBeyondAsciiStandInQuotesAndComments) {
  const CommandLine line = ParseFile("\xEF\xBB\xBF# für alle\nlog-dir = \"/ö\\\"ü\" # naïve\nrequests-max = 7 # 'é\n");
  ASSERT_EQ(line.action, Action::kRun) << err_.str();
  EXPECT_EQ(line.server.log_dir, "/ö\"ü");
  EXPECT_EQ(line.server.requests_max, 7u);
  EXPECT_EQ(ParseFile("log-dir = '/é\\'\n").server.log_dir, "/é\\");
  ExpectFileRefused("# fine\nö = 1\n", {file_ + ", line 2: letters beyond ASCII"});
  ExpectFileRefused("log-dir = '/x' é\n", {file_ + ", line 1: letters beyond ASCII"});
  ExpectFileRefused("log-dir = \"\"\"\n/x\"\"\"\n", {file_ + ", line 1: a string does not end in its line"});
  // For toml++ these quotes belong to the number, to the name, or to nothing.
  for (const std::string text : {"log-dir = 1'é'", "log-dir = 04='é'", "log-dir = [04='é']", "log-dir = 04,'é'",
                                 "log'é' = 1", "['é']", "log-dir = '/x' 'é'", "log-dir = ['/x' 'é']"}) {
    ExpectFileRefused(text + "\n", {file_ + ", line 1: a quote stands where no string begins"});
  }
  EXPECT_EQ(ParseFile("'log-dir' = '/é'\n\"requests-max\" = 7\n").server.log_dir, "/é");
  ExpectFileRefused("requests-max = ['é', # 'ö'\n 'ü',\n]\n", {file_ + ", line 1", "one value"});
  ExpectFileRefused("\nlog-dir = \"/x\n\"\n", {file_ + ", line 2: a string does not end in its line"});
}

TEST_F(ServerOptionsTest, WhatIsPrintedCanBeFedBack) {
  const std::string odd = "a \"path\" with 'quotes', \\ and # in it";
  Parse({"serve", "--data", odd, "--requests-max", "77", "--lease", "off", "--print-config"});
  const std::string printed = out_.str();
  EXPECT_THAT(printed, HasSubstr("requests-max = 77\n"));
  EXPECT_THAT(printed, HasSubstr("lease = \"off\"\n"));
  EXPECT_THAT(printed, HasSubstr("segment-mib = 64\n"));
  EXPECT_THAT(printed, HasSubstr("heartbeat-ms = 100\n"));
  std::ofstream(file_) << printed;
  const CommandLine line = Parse({"serve", "--config", file_});
  ASSERT_EQ(line.action, Action::kRun) << err_.str();
  EXPECT_EQ(line.server.data, odd);
  EXPECT_EQ(line.server.requests_max, 77u);
  EXPECT_FALSE(line.server.core.uses_lease);
  EXPECT_EQ(line.server.listen_client, "");
}

TEST_F(ServerOptionsTest, AnUnknownVariableIsWarnedOf) {
  const Variable typo("DECREED_HEARTBEAT", "100");
  // What Kubernetes sets for a service of that name.
  const Variable service("DECREED_SERVICE_HOST", "10.0.0.1");
  const Variable port("DECREED_PORT_7001_TCP", "tcp://10.0.0.1:7001");
  EXPECT_EQ(Parse({"serve", "--data", "/d"}).action, Action::kRun);
  EXPECT_THAT(err_.str(), HasSubstr("DECREED_HEARTBEAT is set in the environment"));
  EXPECT_THAT(err_.str(), Not(HasSubstr("SERVICE")));
  EXPECT_THAT(err_.str(), Not(HasSubstr("PORT")));
}

TEST_F(ServerOptionsTest, HelpIsNoError) {
  EXPECT_EQ(Parse({"--help"}).exit_code, 0);
  EXPECT_THAT(out_.str(), HasSubstr("--heartbeat-ms"));
  EXPECT_THAT(out_.str(), HasSubstr("DECREED_HEARTBEAT_MS"));
  EXPECT_EQ(Parse({"serve", "--help"}).exit_code, 0);
  EXPECT_THAT(out_.str(), HasSubstr("Examples"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(ServerOptionsTest, TheMemoryHasRoomForCachesAndRequests) {
  const size_t by_default = ServerOptions().MemoryMax();
  EXPECT_EQ(by_default >> 20, 512 + 48 + 40 + 4u);
  for (const char* const option : {"--memory-mib=513", "--key-index-mib=49", "--record-cache-mib=41",
                                   "--block-cache-mib=5", "--pending-bytes-max=51380224"}) {
    const CommandLine line = Parse({"serve", "--data", "/d", option});
    ASSERT_EQ(line.action, Action::kRun) << err_.str();
    EXPECT_EQ(line.server.MemoryMax(), by_default + (1 << 20)) << option;
  }
  // Fewer requests are no reason to reset connections earlier.
  const CommandLine fewer = Parse({"serve", "--data", "/d", "--pending-bytes-max=33554432"});
  EXPECT_EQ(fewer.server.MemoryMax(), by_default);
}

TEST_F(ServerOptionsTest, InitNamesTheMembers) {
  const CommandLine line = Parse({"init", "--data", "/d", "--cluster", "c", "--node", "2", "--member", "1=a:1,a:2",
                                  "--member", "2=b:1,b:2", "--member", "3=c:1,c:2"});
  ASSERT_EQ(line.action, Action::kInit) << err_.str();
  const auto configuration = line.init.FoundingConfiguration();
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(configuration->members.size(), 3u);
  EXPECT_EQ(configuration->lease, Milliseconds(500));
  EXPECT_TRUE(line.server.core.ValidateWith(*configuration).ok());
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
  init = {.members = {"1=a:1,a:2", "2=b:1,b:2"}};
  EXPECT_THAT(init.FoundingConfiguration().status().ToString(), HasSubstr("1, 3, 4, 5 or 7 members, not 2"));
}

}  // namespace
}  // namespace decree::rpc
