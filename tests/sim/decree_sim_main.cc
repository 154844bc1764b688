// decree-sim: whole clusters on a simulated network, disk and clock, one seed after another.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

#include <glog/logging.h>
#include <CLI/CLI.hpp>

#include "paxos/base/planted_bug.h"
#include "tests/sim/campaign.h"

namespace decree::sim {
namespace {

// Lines "NODES SEED"; `#` begins a comment. False if the file cannot be read.
bool ReadSeeds(const std::string& path, std::vector<Seed>& seeds) {
  std::ifstream file(path);
  if (!file) return false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    Seed seed;
    if (words >> seed.nodes >> seed.seed) seeds.push_back(seed);
  }
  return true;
}

#ifdef DECREE_PLANTED_BUGS
bool Plant(const std::string& name) {
  for (const PlantedBug bug : AllPlantedBugs()) {
    if (PlantedBugName(bug) != name) continue;
    PlantBug(bug);
    return true;
  }
  std::cerr << "there is no planted bug \"" << name << "\"; there are:";
  for (const PlantedBug bug : AllPlantedBugs()) std::cerr << ' ' << PlantedBugName(bug);
  std::cerr << '\n';
  return false;
}
#else
bool Plant(const std::string&) {
  std::cerr << "this program has no planted bugs; build it with -DDECREE_PLANTED_BUGS=ON\n";
  return false;
}
#endif

struct Arguments {
  uint64_t first_seed = 1;
  uint64_t runs = 100;
  uint32_t nodes = 3;
  int64_t virtual_seconds = 20;
  std::string seeds_file;
  std::string plant;
  double time_limit_seconds = 0;
};

void AddOptions(CLI::App& app, Arguments& arguments, CampaignOptions& options) {
  app.add_option("--seed", arguments.first_seed, "The first seed")->capture_default_str();
  app.add_option("--runs", arguments.runs, "How many seeds, counted up from the first")->capture_default_str();
  app.add_option("--nodes", arguments.nodes, "Nodes of the cluster")
      ->check(CLI::IsMember({1, 3, 4, 5, 7}))
      ->capture_default_str();
  app.add_option("--virtual-seconds", arguments.virtual_seconds, "How long faults and load last")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--faults", options.faults,
                 "all: each seed draws its own among all kinds; none; or the kinds that every seed "
                 "has, separated by commas")
      ->capture_default_str();
  app.add_option("--time-limit", arguments.time_limit_seconds, "Begin no run after so many seconds")
      ->check(CLI::Range(0.001, 1e9));
  app.add_option("--jobs", options.jobs, "Processes to spread the seeds over")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--seeds-file", arguments.seeds_file, "Run the seeds of this file (lines \"NODES SEED\")");
  app.add_option("--plant", arguments.plant, "Break one rule on purpose; \"list\" names them");
  app.add_flag("--trace", options.run.trace, "Print every event");
  app.add_flag("--json", options.json, "Print the summary as JSON");
  app.add_flag("--clocks-beyond-margin", options.run.clocks_beyond_margin,
               "Let clocks drift far beyond the margin: a violation may be found");
}

// False, and told, if something is wrong.
bool TakeArguments(const Arguments& arguments, CampaignOptions& options) {
  options.run.faulty = Seconds(arguments.virtual_seconds);
  if (options.faults != "all") {
    const StatusOr<FaultSet> faults = ParseFaults(options.faults);
    if (!faults.ok()) {
      std::cerr << "--faults: " << faults.status().message() << '\n';
      return false;
    }
    options.run.faults = *faults;
  }
  if (arguments.time_limit_seconds > 0) {
    options.time_limit =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(arguments.time_limit_seconds));
  }
  if (arguments.seeds_file.empty()) {
    for (uint64_t i = 0; i < arguments.runs; ++i) {
      options.seeds.push_back({.seed = arguments.first_seed + i, .nodes = arguments.nodes});
    }
  } else if (!ReadSeeds(arguments.seeds_file, options.seeds)) {
    std::cerr << arguments.seeds_file << ": cannot be read\n";
    return false;
  }
  return true;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CampaignOptions options;
  options.jobs = std::max(1u, std::thread::hardware_concurrency());
  CLI::App app("Runs simulated clusters and checks every rule after every step.");
  AddOptions(app, arguments, options);
  CLI11_PARSE(app, argc, argv);

  if (arguments.plant == "list") {
    for (const PlantedBug bug : AllPlantedBugs()) std::cout << PlantedBugName(bug) << '\n';
    return 0;
  }
  if (!arguments.plant.empty() && !Plant(arguments.plant)) return 2;
  if (!TakeArguments(arguments, options)) return 2;
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = options.run.trace ? google::INFO : google::ERROR;
  return RunCampaign(options) ? 0 : 1;
}

}  // namespace
}  // namespace decree::sim

int main(int argc, char** argv) { return decree::sim::Main(argc, argv); }
