#include "paxos/log/roster_file.h"

#include "tests/unit/paxos/log/log_fixture.h"

namespace decree::paxos {
namespace {

using testing::HasSubstr;

const Roster kRoster = {{NodeId(1), Incarnation(77)}, {NodeId(2), Incarnation(5)}, {NodeId(3), Incarnation(6)}};

class RosterFileTest : public LogTest {
 protected:
  void Keep() { Append({RosterRecord{kRoster}}); }
};

TEST_F(RosterFileTest, ThereIsNoneBeforeTheFirstMeeting) { EXPECT_TRUE(log_->recovered().roster.empty()); }

// All that a power loss may spare of names that were not synced.
TEST(RosterFileOnAnyDiskTest, IsFoundAgainAfterAPowerLoss) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SimulatedFileSystem files(seed);
    ASSERT_TRUE(SegmentLog::Format(files, kLog, MakeIdentity()).ok());
    ASSERT_TRUE(WriteRoster(files, kLog, MakeIdentity(), kRoster).ok());
    files.LosePower();
    const auto found = ReadRoster(files, kLog, MakeIdentity());
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, kRoster) << "seed " << seed;
  }
}

TEST_F(RosterFileTest, IsFoundWhenTheLogIsOpened) {
  Keep();
  Kill();
  Open();
  EXPECT_EQ(log_->recovered().roster, kRoster);
}

// A crash at any step leaves all of it or nothing, and it can be written again.
TEST_F(RosterFileTest, ACrashAnywhereLeavesAllOrNothing) {
  bool is_done = false;
  for (uint64_t step = 1; !is_done; ++step) {
    ASSERT_LT(step, 100u);
    files_.CrashAfter(step);
    try {
      Keep();
      is_done = true;
    } catch (const SimulatedCrash&) {
    }
    files_.CrashAfter(0);
    step % 2 == 0 ? Kill() : LosePower();
    Open();
    const Roster& found = log_->recovered().roster;
    EXPECT_TRUE(found == kRoster || (found.empty() && !is_done)) << "crash at step " << step;
    if (found.empty()) continue;
    EXPECT_TRUE(files_.Remove("log/roster").ok());
    EXPECT_TRUE(files_.SyncDirectory("log").ok());
  }
}

TEST_F(RosterFileTest, DamageIsRefused) {
  Keep();
  Kill();
  std::string bytes = files_.Contents("log/roster");
  bytes[30] ^= 1;
  files_.SetContents("log/roster", bytes);
  const auto log = TryOpen();
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("log/roster is damaged"));
}

TEST_F(RosterFileTest, AnotherNodesFileIsRefused) {
  ASSERT_TRUE(WriteRoster(files_, kLog, MakeIdentity(2), kRoster).ok());
  Kill();
  const auto log = TryOpen();
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("files of two directories were mixed"));
}

}  // namespace
}  // namespace decree::paxos
