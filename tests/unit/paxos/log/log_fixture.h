#pragma once
// A log on a simulated disk, and records to put in it.

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/log/segment_log.h"
#include "tests/support/simulated_file_system.h"

namespace decree::paxos {

inline constexpr char kLog[] = "log";

inline LogIdentity MakeIdentity(uint32_t node = 1, std::string cluster = "test") {
  LogIdentity identity{
      .cluster = std::move(cluster), .node = NodeId(node), .incarnation = Incarnation(77), .founding = {}};
  for (uint32_t id = 1; id <= 3; ++id) {
    identity.founding.members.push_back({.id = NodeId(id),
                                         .incarnation = {},
                                         .voter = true,
                                         .peer_address = StrCat("peer", id, ":1"),
                                         .client_address = StrCat("client", id, ":1")});
  }
  identity.founding.q1 = 2;
  identity.founding.q2 = 2;
  return identity;
}

inline EntryPtr MakeEntry(std::string payload) {
  return std::make_shared<const Entry>(Entry{
      .kind = EntryKind::kCommands, .proposer = {1, NodeId(1)}, .log_time = LogTime(5), .payload = std::move(payload)});
}

inline Record AcceptedAt(uint64_t slot, std::string payload, uint64_t round = 1) {
  return AcceptedRecord{Slot(slot), {round, NodeId(1)}, MakeEntry(std::move(payload))};
}
inline Record ChosenAt(uint64_t slot, std::string payload) {
  return ChosenRecord{Slot(slot), MakeEntry(std::move(payload))};
}
inline Record PromiseOf(uint64_t round) { return PromisedRecord{{round, NodeId(1)}}; }

inline std::string SegmentPath(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kLog) + "/" + std::string(12 - digits.size(), '0') + digits + ".segment";
}

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    const Status formatted = SegmentLog::Format(files_, kLog, MakeIdentity());
    ASSERT_TRUE(formatted.ok()) << formatted;
    Open();
  }

  void Open() {
    auto log = TryOpen();
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  StatusOr<std::unique_ptr<SegmentLog>> TryOpen() { return SegmentLog::Open(files_, kLog, options_); }
  void Kill() {
    log_.reset();
    files_.Kill();
  }
  void LosePower() {
    log_.reset();
    files_.LosePower();
  }

  void Append(std::vector<Record> records) {
    const RecordBatch batch{.ticket = Ticket(1), .records = std::move(records)};
    log_->Append({&batch, 1});
  }
  void Idle() {
    while (log_->HasIdleWork()) log_->OnIdle();
  }
  // What Read gives, as "slot=payload", "slot:payload" if it is known to be chosen.
  std::vector<std::string> Contents(uint64_t first = 1, uint64_t last = 1'000'000, size_t bytes_max = size_t{1} << 40) {
    const auto votes = log_->Read(Slot(first), Slot(last), bytes_max);
    EXPECT_TRUE(votes.ok()) << votes.status();
    std::vector<std::string> contents;
    if (!votes.ok()) return contents;
    for (const Vote& vote : *votes) {
      contents.push_back(StrCat(vote.slot.value(), vote.chosen ? ":" : "=", vote.entry->payload));
    }
    return contents;
  }

  SimulatedFileSystem files_{1};
  LogOptions options_{.segment_bytes = 16 << 10, .zero_ahead_bytes = 4 << 10};
  std::unique_ptr<SegmentLog> log_;
};

}  // namespace decree::paxos
