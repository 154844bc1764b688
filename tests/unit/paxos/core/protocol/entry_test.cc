#include "paxos/core/protocol/entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/core_fixture.h"

namespace decree::paxos {
namespace {

using testing::ElementsAre;

TEST(EntryTest, CommandsComeBackInOrder) {
  std::string payload;
  AppendCommand(payload, "one");
  AppendCommand(payload, "");
  AppendCommand(payload, std::string("\0\xff", 2));
  const auto commands = SplitCommands(payload);
  ASSERT_TRUE(commands.has_value());
  EXPECT_THAT(*commands, ElementsAre("one", "", std::string("\0\xff", 2)));
}

TEST(EntryTest, AMalformedPayloadIsRefused) {
  std::string payload;
  AppendCommand(payload, "one");
  for (size_t cut = 1; cut < payload.size(); ++cut) {
    EXPECT_FALSE(SplitCommands(std::string_view(payload).substr(0, cut)).has_value());
  }
}

}  // namespace
}  // namespace decree::paxos
