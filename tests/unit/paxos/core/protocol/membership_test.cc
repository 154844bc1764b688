#include "paxos/core/protocol/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::HasSubstr;

TEST(ConfigurationTest, SurvivesEncoding) {
  Configuration configuration = Voters(5);
  configuration.drift_ppm = 123;
  const auto decoded = Configuration::Decode(configuration.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, configuration);
}

TEST(ConfigurationTest, RefusesDamagedBytes) {
  const std::string bytes = Voters(3).Encode();
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(Configuration::Decode(std::string_view(bytes).substr(0, cut)).ok());
  }
  EXPECT_FALSE(Configuration::Decode(bytes + "x").ok());
  std::string newer = bytes;
  newer[0] = 9;
  EXPECT_FALSE(Configuration::Decode(newer).ok());
}

TEST(ConfigurationTest, QuorumsMustMeet) {
  for (uint32_t n = 1; n <= 7; ++n) {
    for (uint32_t q1 = 0; q1 <= n + 1; ++q1) {
      for (uint32_t q2 = 0; q2 <= n + 1; ++q2) {
        Configuration configuration = Voters(n);
        configuration.q1 = q1;
        configuration.q2 = q2;
        const bool legal = q1 >= 1 && q2 >= 1 && q1 <= n && q2 <= n && q1 + q2 > n;
        EXPECT_EQ(configuration.Validate().ok(), legal) << n << ' ' << q1 << ' ' << q2;
      }
    }
  }
}

TEST(ConfigurationTest, NamesWhatIsWrong) {
  Configuration configuration = Voters(3);
  configuration.members[1].id = NodeId(1);
  EXPECT_THAT(std::string(configuration.Validate().message()), HasSubstr("repeated"));
  configuration = Voters(3);
  configuration.lease = Seconds(61);
  EXPECT_THAT(std::string(configuration.Validate().message()), HasSubstr("61000 ms"));
}

}  // namespace
}  // namespace decree::paxos
