#include "paxos/log/record_codec.h"

#include "paxos/base/random.h"
#include "tests/unit/paxos/log/log_fixture.h"

namespace decree::paxos {
namespace {

std::string Encode(const Record& record, uint64_t offset = 4096) {
  std::string bytes;
  EncodeRecord(record, {.seed = 9, .offset = offset, .group = Group(3), .index = 2, .ends_group = true}, bytes);
  return bytes;
}

TEST(RecordCodecTest, RoundTrip) {
  const std::string bytes = Encode(AcceptedAt(7, "payload", 4));
  EXPECT_EQ(bytes.size(), EncodedBytes(AcceptedAt(7, "payload", 4)));
  EXPECT_EQ(bytes.size() % kRecordAlignment, 0u);
  const auto header = DecodeHeader(bytes, 9, 4096);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->slot, Slot(7));
  EXPECT_EQ(header->ballot, (Ballot{4, NodeId(1)}));
  EXPECT_EQ(header->group, Group(3));
  EXPECT_EQ(header->index, 2u);
  EXPECT_TRUE(header->ends_group);
  const std::string_view body = std::string_view(bytes).substr(kRecordHeaderBytes);
  EXPECT_TRUE(IsBodyIntact(*header, body, 9, 4096));
  const auto vote = DecodeVote(*header, body.substr(0, header->body_bytes));
  ASSERT_TRUE(vote.ok()) << vote.status();
  EXPECT_EQ(*vote->entry, *MakeEntry("payload"));
  EXPECT_FALSE(vote->chosen);
}

TEST(RecordCodecTest, IsNoRecordInAnotherSegmentOrPlace) {
  const std::string bytes = Encode(AcceptedAt(7, "payload"));
  EXPECT_FALSE(DecodeHeader(bytes, 10, 4096));
  EXPECT_FALSE(DecodeHeader(bytes, 9, 4104));
}

TEST(RecordCodecTest, EveryFlippedBitIsNoticed) {
  const std::string whole = Encode(ChosenAt(7, "payload"));
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const auto header = DecodeHeader(bytes, 9, 4096);
    if (!header) continue;
    EXPECT_FALSE(IsBodyIntact(*header, std::string_view(bytes).substr(kRecordHeaderBytes), 9, 4096)) << "bit " << bit;
  }
}

// The checksums do not protect from a program that was wrong, or from whoever can compute them.
TEST(RecordCodecTest, HostileRecordsAreRefusedOrDecoded) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = Encode(AcceptedAt(7, std::string(random.Below(40), 'p')));
    for (uint64_t n = random.Between(1, 6); n > 0; --n) {
      const size_t at = 16 + random.Below(bytes.size() - 16);
      if (at < 60 || at >= 64) bytes[at] = static_cast<char>(random.Next());
    }
    SealRecord(9, 4096, bytes.data(), bytes.size());
    const auto header = DecodeHeader(bytes, 9, 4096);
    ASSERT_TRUE(header);
    if (header->RecordBytes() != bytes.size()) continue;
    const std::string_view body = std::string_view(bytes).substr(kRecordHeaderBytes, header->body_bytes);
    if (const Status status = CheckRecord(*header, body); !status.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    } else if (header->type != RecordType::kChosenIndex) {
      EXPECT_TRUE(DecodeVote(*header, body).ok());
    }
  }
}

}  // namespace
}  // namespace decree::paxos
