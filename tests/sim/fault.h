#pragma once
// The kinds of fault that a simulated world can have, by name.

#include <array>
#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "paxos/base/status.h"

namespace decree::sim {

enum class Fault {
  // Faults of the network, all the time.
  kLoss,
  kDuplication,
  kLongDelay,
  // Single strokes, each now and then.
  kPowerLoss,
  kKill,
  kCrashAtWrite,
  kFailingDisk,
  kCrashOfAll,
  kPause,
  kSplit,
  kCutPair,
  kCutOneWay,
  kIsolateLeader,
  kIsolateNewLeader,
  kRestartGranters,
  kSlowDisk,
  kTransfer,
  kClockRate,
  kClockJump,
  kNewDisk,
  // The links carry so much and no more, from the beginning to the end.
  kSlowLinks,
  // At the end: a node lags, and whoever knows most dies after it has said so, and stays away.
  kDyingSource,
  // Messages of some kinds take longer than the rest, all the time.
  kSlowKinds,
  // A leader's Accepts reach one node alone and late, which hears of no other leader meanwhile.
  kLateAccept,
};

inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::kLateAccept) + 1;

// The fault's name in options and reports, such as "power-loss".
std::string_view FaultName(Fault fault);

class FaultSet {
 public:
  bool Has(Fault fault) const { return faults_[static_cast<size_t>(fault)]; }
  void Add(Fault fault) { faults_.set(static_cast<size_t>(fault)); }

 private:
  std::bitset<kFaultCount> faults_;
};

// All of them, in the order above.
std::array<Fault, kFaultCount> AllFaults();

// "none", or names with commas between. kInvalidArgument that lists the names there are.
StatusOr<FaultSet> ParseFaults(std::string_view text);

}  // namespace decree::sim
