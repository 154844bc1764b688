#pragma once
// The state after some slot, to be read while later ones are applied.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "decree/v1/kv.pb.h"
#include "kv/key_record.h"
#include "kv/range_scan.h"
#include "kv/store.h"
#include "paxos/base/ids.h"
#include "paxos/base/state_machine.h"
#include "paxos/base/status.h"

namespace decree::kv {

// The parts of the state that are no keys.
struct State {
  paxos::Slot applied;
  paxos::LogTime log_time;
  uint64_t revision = 1;  // of the last write; the empty store is at 1
  uint64_t epoch = 1;     // raised when the store is restored from a backup
  uint64_t digest = 0;    // of all effects and results so far

  friend bool operator==(const State&, const State&) = default;
};

// Any thread may read it. It must not outlive the store.
class View {
 public:
  View(const State& state, std::unique_ptr<const Store::Snapshot> snapshot)
      : state_(state), snapshot_(std::move(snapshot)) {}

  const State& state() const { return state_; }
  // The key's record; nothing if there is no such key.
  std::optional<KeyRecord> Get(std::string_view key) const;
  // Scans as ScanRange does (range_scan.h). kOutOfRange if there is no such revision yet.
  StatusOr<std::optional<std::string>> Scan(const KeyRange& range, uint64_t revision, const RangeVisitor& visit) const;

 private:
  const State state_;
  const std::unique_ptr<const Store::Snapshot> snapshot_;
};

// The record as clients see it.
v1::KeyValue ToKeyValue(std::string_view key, KeyRecord record);

}  // namespace decree::kv
