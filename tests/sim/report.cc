#include "tests/sim/report.h"

#include <algorithm>
#include <iomanip>

#include <nlohmann/json.hpp>

#include "paxos/base/status.h"
#include "tests/sim/nemesis.h"

namespace decree::sim {
namespace {

// From so many seeds on, each kind of event must have happened, and each rare case.
constexpr uint64_t kSeedsForEvents = 100;
constexpr uint64_t kSeedsForRareCases = 2000;

// Among fewer nodes whoever knows the chosen value has promised its ballot or a higher one, and hears no older leader.
bool CanHappen(const std::string& rare_case, uint32_t nodes) {
  return nodes >= 5 || rare_case != "another value was told than the one known to be chosen";
}

void PrintCounts(std::ostream& out, const char* title, const std::map<std::string, uint64_t>& counts) {
  out << title << '\n';
  for (const auto& [name, count] : counts) {
    out << "  " << std::setw(10) << count << "  " << name << '\n';
  }
}

double VirtualSeconds(const Totals& totals) { return static_cast<double>(totals.virtual_milliseconds) / 1000; }

int64_t RareCasesReached(const Totals& totals) {
  return std::count_if(totals.rare_cases.begin(), totals.rare_cases.end(),
                       [](const auto& rare_case) { return rare_case.second > 0; });
}

}  // namespace

void Totals::Add(const RunResult& result) {
  ++runs;
  virtual_milliseconds += static_cast<uint64_t>(ToMilliseconds(result.virtual_time));
  chosen += result.chosen;
  operations += result.operations;
  for (const auto& [kind, count] : result.counts) counts[kind] += count;
}

void Totals::Add(const Totals& other) {
  runs += other.runs;
  repeated += other.repeated;
  virtual_milliseconds += other.virtual_milliseconds;
  chosen += other.chosen;
  operations += other.operations;
  for (const auto& [kind, count] : other.counts) counts[kind] += count;
  for (const auto& [name, count] : other.rare_cases) rare_cases[name] += count;
}

void Write(std::ostream& out, const Totals& totals) {
  out << "totals " << totals.runs << ' ' << totals.repeated << ' ' << totals.virtual_milliseconds << ' '
      << totals.chosen << ' ' << totals.operations << '\n';
  for (const auto& [kind, count] : totals.counts) out << "count " << count << ' ' << kind << '\n';
  for (const auto& [name, count] : totals.rare_cases) out << "rare " << count << ' ' << name << '\n';
}

Totals Read(std::istream& in) {
  Totals totals;
  for (std::string what; in >> what;) {
    if (what == "totals") {
      in >> totals.runs >> totals.repeated >> totals.virtual_milliseconds >> totals.chosen >> totals.operations;
      continue;
    }
    uint64_t count = 0;
    std::string name;
    in >> count;
    std::getline(in >> std::ws, name);
    (what == "count" ? totals.counts : totals.rare_cases)[name] = count;
  }
  return totals;
}

std::vector<std::string> Missing(const Totals& totals, uint64_t seeds, uint32_t nodes_max, bool all_faults) {
  std::vector<std::string> missing;
  if (totals.chosen == 0) missing.push_back("nothing was chosen");
  if (!all_faults) return missing;
  if (seeds >= kSeedsForEvents) {
    std::vector<std::string> wanted = Nemesis::CountedNames();
    for (const char* kind :
         {"message lost", "message repeated", "message delayed", "message cut off", "request lost", "answer lost",
          "crash in the middle of a turn", "torn write cut off", "leader elected", "failing disk", "write answered",
          "read answered", "stale read answered", "outcome unknown", "session opened", "session expired",
          "request settled", "old copy answered"}) {
      wanted.push_back(kind);
    }
    for (const std::string& kind : wanted) {
      if (!totals.counts.contains(kind)) missing.push_back(StrCat(kind, ": never happened"));
    }
  }
  if (seeds >= kSeedsForRareCases) {
    for (const auto& [name, count] : totals.rare_cases) {
      if (count == 0 && CanHappen(name, nodes_max)) missing.push_back(StrCat("never reached: ", name));
    }
  }
  return missing;
}

void PrintText(std::ostream& out, const Totals& totals, double real_seconds) {
  std::map<std::string, uint64_t> reached;
  std::map<std::string, uint64_t> unreached;
  for (const auto& [name, count] : totals.rare_cases) (count > 0 ? reached : unreached)[name] = count;
  PrintCounts(out, "happened:", totals.counts);
  PrintCounts(out, "rare cases:", reached);
  if (!unreached.empty()) PrintCounts(out, "rare cases not reached:", unreached);
  out << std::fixed << std::setprecision(1) << "runs=" << totals.runs
      << " (repeated with the same result: " << totals.repeated << ")"
      << " virtual_s=" << VirtualSeconds(totals) << " real_s=" << real_seconds
      << " speed=" << VirtualSeconds(totals) / real_seconds << " slots_chosen=" << totals.chosen
      << " operations=" << totals.operations << " rare_cases=" << reached.size() << '/' << totals.rare_cases.size()
      << " violations=0\n";
}

void PrintJson(std::ostream& out, const Totals& totals, double real_seconds, const std::vector<std::string>& missing) {
  const nlohmann::json report{{"runs", totals.runs},
                              {"repeated", totals.repeated},
                              {"virtual_s", VirtualSeconds(totals)},
                              {"real_s", real_seconds},
                              {"speed", VirtualSeconds(totals) / real_seconds},
                              {"slots_chosen", totals.chosen},
                              {"operations", totals.operations},
                              {"rare_cases_reached", RareCasesReached(totals)},
                              {"events", totals.counts},
                              {"rare_cases", totals.rare_cases},
                              {"missing", missing},
                              {"violations", 0}};
  out << report.dump(2) << '\n';
}

}  // namespace decree::sim
