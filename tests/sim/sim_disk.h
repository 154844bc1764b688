#pragma once
// What lasts when a simulated process dies: the files of its log and its store.

#include <cstdint>

#include "paxos/base/random.h"
#include "tests/support/simulated_file_system.h"

namespace decree::sim {

// How a process ends.
enum class Death {
  kKilled,     // The operating system lives on, and keeps what was written.
  kPowerLoss,  // What was not synced is lost, in part or whole.
};

class SimDisk {
 public:
  explicit SimDisk(Random random) : random_(random), files_(random_.Next()) {}

  paxos::FileSystem& files() { return files_; }

  // The process ends by a SimulatedCrash at the `writes`-th write from now.
  void CrashAfter(uint64_t writes) { files_.CrashAfter(writes); }
  // The next sync of a file fails, and leaves what was written in the page cache only.
  void FailNextSync() { files_.FailNext(paxos::SimulatedFileSystem::Operation::kSync, absl::UnknownError("EIO")); }
  // Nothing of this process is left but the disk.
  void Crash(Death death) { death == Death::kPowerLoss ? files_.LosePower() : files_.Kill(); }
  // A new, empty one is there in its place.
  void Replace() { files_.Replace(); }
  Death DrawDeath() { return random_.Chance(0.6) ? Death::kPowerLoss : Death::kKilled; }
  void StopFaults() { files_.CrashAfter(0); }

 private:
  Random random_;
  paxos::SimulatedFileSystem files_;
};

}  // namespace decree::sim
