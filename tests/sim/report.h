#pragma once
// What a campaign has seen, summed up over its runs, and how that is told.

#include <cstdint>
#include <istream>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "tests/sim/simulation.h"

namespace decree::sim {

struct Totals {
  uint64_t runs = 0;
  uint64_t repeated = 0;  // runs that were done twice, with the same result
  uint64_t virtual_milliseconds = 0;
  uint64_t chosen = 0;
  uint64_t operations = 0;
  std::map<std::string, uint64_t> counts;  // of what happened
  std::map<std::string, uint64_t> rare_cases;

  void Add(const RunResult& result);
  void Add(const Totals& other);
};

// Carries totals from one process to another.
void Write(std::ostream& out, const Totals& totals);
Totals Read(std::istream& in);

// What a campaign over many seeds, of so many nodes at most, must have seen and has not, each in a line; empty if it
// has seen all.
std::vector<std::string> Missing(const Totals& totals, uint64_t seeds, uint32_t nodes_max, bool all_faults);

void PrintText(std::ostream& out, const Totals& totals, double real_seconds);
void PrintJson(std::ostream& out, const Totals& totals, double real_seconds, const std::vector<std::string>& missing);

}  // namespace decree::sim
