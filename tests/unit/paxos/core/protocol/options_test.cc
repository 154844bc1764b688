#include "paxos/core/protocol/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::HasSubstr;

TEST(OptionsTest, DefaultsAreValid) {
  EXPECT_TRUE(Options().Validate().ok());
  EXPECT_TRUE(Options().ValidateWith(Voters(3)).ok());
}

TEST(OptionsTest, NamesTheValueAndTheLimit) {
  Options options;
  options.election_timeout_max = Milliseconds(100);
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("100 ms"));
  options = Options();
  options.heartbeat = Milliseconds(300);
  EXPECT_FALSE(options.Validate().ok());
  options = Options();
  Configuration configuration = Voters(3);
  configuration.lease = Milliseconds(600);
  EXPECT_THAT(std::string(options.ValidateWith(configuration).message()), HasSubstr("600 ms"));
  configuration.lease = Milliseconds(90);
  EXPECT_FALSE(options.ValidateWith(configuration).ok()) << "would lapse between heartbeats";
}

}  // namespace
}  // namespace decree::paxos
