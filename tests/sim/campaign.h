#pragma once
// Runs the simulator over many seeds and sums up what it has seen.

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/simulation.h"

namespace decree::sim {

struct Seed {
  uint64_t seed = 0;
  uint32_t nodes = 3;
};

struct CampaignOptions {
  std::vector<Seed> seeds;
  // Of every run; its seed and nodes are taken from `seeds`.
  RunOptions run;
  uint32_t jobs = 1;  // processes
};

// Prints a summary. False if the campaign proves little: if nothing was chosen, or, over many seeds,
// some kind of fault never happened. A run in which a rule breaks ends the program with status 1,
// after printing the command that repeats it.
bool RunCampaign(const CampaignOptions& options);

}  // namespace decree::sim
