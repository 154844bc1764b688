// The small things that everything else stands on.

#include <array>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/base/byte_reader.h"
#include "paxos/base/checksum.h"
#include "paxos/base/planted_bug.h"
#include "paxos/base/posix_clock.h"
#include "paxos/base/random.h"
#include "paxos/base/rare_case.h"
#include "paxos/base/status.h"
#include "paxos/base/strong_int.h"

namespace decree {
namespace {

TEST(ByteReaderTest, ReadsWhatWasWritten) {
  std::string bytes;
  PutU8(bytes, 0xfe);
  PutU32(bytes, 0xdeadbeef);
  PutU64(bytes, 0x0123456789abcdef);
  PutString(bytes, std::string_view("a\0b", 3));
  EXPECT_EQ(bytes.substr(1, 4), "\xef\xbe\xad\xde") << "little-endian on every machine";
  ByteReader reader(bytes);
  EXPECT_EQ(reader.U8(), 0xfe);
  EXPECT_EQ(reader.U32(), 0xdeadbeefu);
  EXPECT_EQ(reader.U64(), 0x0123456789abcdefu);
  EXPECT_EQ(reader.String(), std::string_view("a\0b", 3));
  EXPECT_TRUE(reader.AtEnd());
}

TEST(ByteReaderTest, ReadingPastTheEndFailsForGood) {
  ByteReader reader("abc");
  EXPECT_EQ(reader.U32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0);
  EXPECT_FALSE(reader.AtEnd());
}

TEST(ByteReaderTest, ShortNumbersTakeFewBytes) {
  const std::vector<std::pair<uint64_t, size_t>> sizes{
      {0, 1}, {127, 1}, {128, 2}, {16383, 2}, {16384, 3}, {(1ull << 63) - 1, 9}, {1ull << 63, 10}, {UINT64_MAX, 10}};
  for (const auto& [value, size] : sizes) {
    std::string bytes;
    PutVarint(bytes, value);
    EXPECT_EQ(bytes.size(), size) << value;
    ByteReader reader(bytes);
    EXPECT_EQ(reader.Varint(), value);
    EXPECT_TRUE(reader.AtEnd());
    ByteReader cut(std::string_view(bytes).substr(0, size - 1));
    EXPECT_EQ(cut.Varint(), 0u);
    EXPECT_FALSE(cut.ok());
  }
}

TEST(ByteReaderTest, ANumberHasOneFormAndFits) {
  for (const std::string& bytes :
       {std::string("\x80\x00", 2), std::string(9, '\xff') + "\x02", std::string(10, '\x80') + "\x01"}) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteReaderTest, ALengthThatClaimsTooMuchGivesNothing) {
  std::string bytes;
  PutU32(bytes, 0xffffffff);
  bytes += "abc";
  ByteReader reader(bytes);
  EXPECT_EQ(reader.String(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ChecksumTest, DependsOnBytesAndSeedOnly) {
  EXPECT_EQ(Checksum("decree", 1), Checksum(std::string("decree"), 1));
  EXPECT_NE(Checksum("decree", 1), Checksum("decree", 2));
  EXPECT_NE(Checksum("decree", 1), Checksum("decreE", 1));
  // Stored on disks: it must never change.
  EXPECT_EQ(Checksum("", 0), 0x2d06800538d394c2u);
}

TEST(RandomTest, TheSequenceIsOursForGood) {
  Random random(42);
  EXPECT_EQ(random.Next(), 0xbdd732262feb6e95u);
  EXPECT_EQ(Random(42).Next(), 0xbdd732262feb6e95u);
}

TEST(RandomTest, StaysWithinItsBounds) {
  Random random(1);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Between(3, 7));
  EXPECT_EQ(seen, (std::set<uint64_t>{3, 4, 5, 6, 7}));
  EXPECT_FALSE(random.Chance(0));
  EXPECT_TRUE(random.Chance(1));
  for (int i = 0; i < 1000; ++i) {
    const Duration drawn = random.Between(Milliseconds(1), Milliseconds(2));
    EXPECT_GE(drawn, Milliseconds(1));
    EXPECT_LE(drawn, Milliseconds(2));
  }
}

TEST(StatusTest, MacrosReturnTheError) {
  const auto twice = [](StatusOr<int> in) -> StatusOr<int> {
    ASSIGN_OR_RETURN(const int value, std::move(in));
    return 2 * value;
  };
  EXPECT_EQ(*twice(21), 42);
  EXPECT_TRUE(absl::IsNotFound(twice(absl::NotFoundError("x")).status()));
}

TEST(StrongIntTest, OrdersAndPrints) {
  using Apples = StrongInt<struct ApplesTag, uint32_t>;
  EXPECT_LT(Apples(1), Apples(2));
  EXPECT_TRUE(Apples().IsZero());
  std::ostringstream out;
  out << Apples(7);
  EXPECT_EQ(out.str(), "7");
}

TEST(PosixClockTest, NeverGoesBack) {
  const PosixClock clock;
  const Time before = clock.Now();
  EXPECT_LE(before, clock.Now());
}

TEST(PlantedBugTest, EveryBugHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const PlantedBug bug : AllPlantedBugs()) {
    EXPECT_FALSE(PlantedBugName(bug).empty());
    EXPECT_TRUE(names.insert(PlantedBugName(bug)).second) << PlantedBugName(bug);
  }
  EXPECT_FALSE(IsPlanted(PlantedBug::kQuorumOfOne));
}

TEST(RareCaseTest, CountsWhatWasReachedAndListsWhatWasNot) {
  const auto reached = [] { RARE_CASE("the test has reached this"); };
  const auto never = [] { RARE_CASE("the test has never reached this"); };
  reached();
  reached();
  static_cast<void>(never);
  EXPECT_EQ(RareCase::Counts().at("the test has reached this"), 2u);
  EXPECT_EQ(RareCase::Counts().at("the test has never reached this"), 0u);
}

}  // namespace
}  // namespace decree
