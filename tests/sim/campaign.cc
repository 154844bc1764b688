#include "tests/sim/campaign.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"
#include "tests/sim/nemesis.h"

namespace decree::sim {
namespace {

// One run in so many is done twice, and must do the same both times.
constexpr size_t kRepeatEach = 50;
// From so many seeds on, each kind of fault must have happened.
constexpr size_t kManySeeds = 100;

// What is to be said of the run under way if it ends the program.
std::string& RunningCommand() {
  static std::string& command = *new std::string;
  return command;
}

void OnFailure() {
  std::cerr << "\nA rule was broken. To see it again, with every message:\n  "
            << RunningCommand() << std::endl;
  _exit(1);
}

std::string CommandFor(const RunOptions& run) {
  std::ostringstream command;
  command << "decree-sim --seed " << run.seed << " --runs 1 --nodes " << run.nodes
          << " --virtual-seconds " << run.faulty / Seconds(1);
  if (run.clocks_beyond_margin) command << " --clocks-beyond-margin";
#ifdef DECREE_PLANTED_BUGS
  for (const PlantedBug bug : AllPlantedBugs()) {
    if (IsPlanted(bug)) command << " --plant " << PlantedBugName(bug);
  }
#endif
  command << " --trace";
  return command.str();
}

struct Totals {
  uint64_t runs = 0;
  uint64_t virtual_milliseconds = 0;
  uint64_t chosen = 0;
  uint64_t operations = 0;
  uint64_t repeated = 0;
  std::map<std::string, uint64_t> counts;
  std::map<std::string, uint64_t> probes;

  void Add(const Totals& other) {
    runs += other.runs;
    virtual_milliseconds += other.virtual_milliseconds;
    chosen += other.chosen;
    operations += other.operations;
    repeated += other.repeated;
    for (const auto& [kind, count] : other.counts) counts[kind] += count;
    for (const auto& [name, count] : other.probes) probes[name] += count;
  }
};

void Write(std::ostream& out, const Totals& totals) {
  out << "totals " << totals.runs << ' ' << totals.virtual_milliseconds << ' ' << totals.chosen
      << ' ' << totals.operations << ' ' << totals.repeated << '\n';
  for (const auto& [kind, count] : totals.counts) out << "count " << count << ' ' << kind << '\n';
  for (const auto& [name, count] : totals.probes) out << "probe " << count << ' ' << name << '\n';
}

Totals Read(std::istream& in) {
  Totals totals;
  for (std::string what; in >> what;) {
    if (what == "totals") {
      in >> totals.runs >> totals.virtual_milliseconds >> totals.chosen >> totals.operations >>
          totals.repeated;
      continue;
    }
    uint64_t count = 0;
    std::string name;
    in >> count;
    std::getline(in >> std::ws, name);
    (what == "count" ? totals.counts : totals.probes)[name] = count;
  }
  return totals;
}

// Every `stride`-th seed from `first` on.
Totals RunSeeds(const CampaignOptions& options, size_t first, size_t stride) {
  google::InstallFailureFunction(&OnFailure);
  Totals totals;
  for (size_t i = first; i < options.seeds.size(); i += stride) {
    RunOptions run = options.run;
    run.seed = options.seeds[i].seed;
    run.nodes = options.seeds[i].nodes;
    RunningCommand() = CommandFor(run);
    const RunResult result = RunSimulation(run);
    if (i % kRepeatEach == 0) {
      CHECK_EQ(RunSimulation(run).hash, result.hash) << "the same seed did two different things";
      ++totals.repeated;
    }
    ++totals.runs;
    totals.virtual_milliseconds += static_cast<uint64_t>(ToMilliseconds(result.virtual_time));
    totals.chosen += result.chosen;
    totals.operations += result.operations;
    for (const auto& [kind, count] : result.counts) totals.counts[kind] += count;
  }
  totals.probes = Probe::Counts();
  return totals;
}

// A process of its own for a part of the seeds; what it sends through the pipe at its end.
struct Job {
  pid_t process = 0;
  int pipe = -1;
};

Job StartJob(const CampaignOptions& options, size_t number) {
  int ends[2];
  PCHECK(pipe(ends) == 0);
  std::cout.flush();
  const pid_t process = fork();
  PCHECK(process >= 0);
  if (process == 0) {
    close(ends[0]);
    std::ostringstream text;
    Write(text, RunSeeds(options, number, options.jobs));
    const std::string bytes = text.str();
    FILE* const out = fdopen(ends[1], "w");
    fwrite(bytes.data(), 1, bytes.size(), out);
    fclose(out);
    _exit(0);
  }
  close(ends[1]);
  return {.process = process, .pipe = ends[0]};
}

Totals FinishJob(const Job& job) {
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = read(job.pipe, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  close(job.pipe);
  int status = 0;
  PCHECK(waitpid(job.process, &status, 0) == job.process);
  // It has said why.
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) exit(1);
  std::istringstream in(text);
  return Read(in);
}

void PrintCounts(const char* title, const std::map<std::string, uint64_t>& counts) {
  std::cout << title << '\n';
  for (const auto& [name, count] : counts) {
    std::cout << "  " << std::setw(10) << count << "  " << name << '\n';
  }
}

// What must not be missing from a campaign over many seeds.
bool HasSeenEverything(const Totals& totals) {
  std::vector<std::string> wanted = Nemesis::KindNames();
  for (const char* kind :
       {"message lost", "message repeated", "message delayed", "message cut off", "request lost",
        "answer lost", "crash in the middle of a turn", "torn write cut off", "leader elected",
        "write answered", "read answered", "stale read answered", "outcome unknown"}) {
    wanted.push_back(kind);
  }
  bool all = true;
  for (const std::string& kind : wanted) {
    if (totals.counts.contains(kind)) continue;
    std::cout << "MISSING: " << kind << " never happened\n";
    all = false;
  }
  return all;
}

}  // namespace

bool RunCampaign(const CampaignOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Totals totals;
  if (options.jobs <= 1) {
    totals = RunSeeds(options, 0, 1);
  } else {
    std::vector<Job> jobs;
    for (uint32_t job = 0; job < options.jobs; ++job) jobs.push_back(StartJob(options, job));
    for (const Job& job : jobs) totals.Add(FinishJob(job));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;

  std::map<std::string, uint64_t> reached;
  std::map<std::string, uint64_t> unreached;
  for (const auto& [name, count] : totals.probes) (count > 0 ? reached : unreached)[name] = count;
  PrintCounts("happened:", totals.counts);
  PrintCounts("rare situations:", reached);
  if (!unreached.empty()) PrintCounts("rare situations not reached:", unreached);
  const double virtual_seconds = static_cast<double>(totals.virtual_milliseconds) / 1000;
  std::cout << std::fixed << std::setprecision(1) << "runs=" << totals.runs
            << " (repeated with the same result: " << totals.repeated << ")"
            << " virtual_s=" << virtual_seconds << " real_s=" << took.count()
            << " speed=" << virtual_seconds / took.count() << " slots_chosen=" << totals.chosen
            << " operations=" << totals.operations << " probes=" << reached.size() << '/'
            << totals.probes.size() << " violations=0\n";
  if (totals.chosen == 0) {
    std::cout << "MISSING: nothing was chosen\n";
    return false;
  }
  return options.seeds.size() < kManySeeds || HasSeenEverything(totals);
}

}  // namespace decree::sim
