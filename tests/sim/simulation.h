#pragma once
// One run of the simulated cluster, from a seed: faults and load, then neither, then the verdict.
//
// A broken rule stops the program, naming what is broken; whoever runs it knows the seed.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "paxos/base/time.h"
#include "tests/sim/fault.h"

namespace decree::sim {

struct RunOptions {
  uint64_t seed = 1;
  uint32_t nodes = 3;
  Duration faulty = Seconds(20);   // how long faults and load go on
  std::optional<FaultSet> faults;  // exactly these; each seed draws its own if it is not set
  bool trace = false;
  bool clocks_beyond_margin = false;  // leases then prove nothing; only the history is judged
};

struct RunResult {
  uint64_t hash = 0;  // of all events
  Duration virtual_time = Duration::zero();
  uint64_t chosen = 0;  // slots
  uint64_t operations = 0;
  std::map<std::string, uint64_t> counts;  // of what happened, by kind
};

RunResult RunSimulation(const RunOptions& options);

}  // namespace decree::sim
