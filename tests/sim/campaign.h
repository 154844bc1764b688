#pragma once
// Runs the simulator over many seeds and sums up what it has seen.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "paxos/base/time.h"
#include "tests/sim/simulation.h"

namespace decree::sim {

struct Seed {
  uint64_t seed = 0;
  uint32_t nodes = 3;
};

struct CampaignOptions {
  std::vector<Seed> seeds;
  // The options of every run; its seed and nodes are taken from `seeds`.
  RunOptions run;
  std::string faults = "all";  // as they were given, for the command that repeats a failure
  uint32_t jobs = 1;           // processes
  // No run begins after so long; the summary tells how many were done.
  std::optional<Duration> time_limit;
  bool json = false;
};

// Prints a summary, and while it runs a line on the terminal. False if the campaign proves little: if
// nothing was chosen, or, over many seeds, some kind of fault or rare case never came up.
// A run in which a rule breaks ends the program with status 1, after it has printed the rule, the last
// events, and the command that repeats it.
bool RunCampaign(const CampaignOptions& options);

}  // namespace decree::sim
