#include "tests/sim/campaign.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <new>
#include <sstream>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"
#include "paxos/base/posix_clock.h"
#include "paxos/base/rare_case.h"
#include "tests/sim/report.h"

namespace decree::sim {
namespace {

// One run in so many is done twice, and must do the same both times.
constexpr size_t kRepeatEach = 50;
// How much of a broken run's trace is shown.
constexpr int kLastEvents = 40;

// ---- A broken rule ----

struct RunningSeed {
  std::string command;
  bool is_traced = false;
};

// What is to be said of the run under way if it ends the program.
RunningSeed& Running() {
  static RunningSeed& running = *new RunningSeed;
  return running;
}

std::string CommandFor(const RunOptions& run, const std::string& faults) {
  std::ostringstream command;
  command << "decree-sim --seed " << run.seed << " --runs 1 --nodes " << run.nodes << " --faults " << faults
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

// A run repeats itself bit for bit, so what led to the failure is had by running it once more.
void PrintLastEvents(const std::string& command) {
  char self[4096];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
  if (size <= 0) return;
  const std::string arguments = command.substr(command.find(' '));
  std::cerr << "\nThe last events:" << std::endl;
  const std::string again = StrCat("'", std::string(self, static_cast<size_t>(size)), "'", arguments,
                                   " 2>/dev/null | grep '^\\[' | tail -n ", kLastEvents, " | cut -c 1-160 >&2");
  if (std::system(again.c_str()) != 0) std::cerr << "(cannot be had)" << std::endl;
}

// glog has printed the rule.
void OnFailure() {
  const RunningSeed& running = Running();
  if (!running.is_traced) PrintLastEvents(running.command);
  std::cout.flush();
  std::cerr << "\nA rule was broken; it is named above, in the line that begins with F. To see it "
               "again, with every event:\n  "
            << running.command << std::endl;
  _exit(1);
}

// ---- Progress ----

// Runs done so far by all processes, and a line that tells of them.
class Progress {
 public:
  explicit Progress(uint64_t total) : total_(total), is_shown_(isatty(STDERR_FILENO) != 0), started_(clock_.Now()) {
    void* const shared = mmap(nullptr, sizeof(*done_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    PCHECK(shared != MAP_FAILED);
    done_ = new (shared) std::atomic<uint64_t>(0);
  }
  ~Progress() {
    if (is_shown_) std::cerr << "\r\x1b[K" << std::flush;
    munmap(done_, sizeof(*done_));
  }

  Duration elapsed() const { return clock_.Now() - started_; }

  void OnRunDone() {
    const uint64_t done = done_->fetch_add(1, std::memory_order_relaxed) + 1;
    if (!is_shown_ || clock_.Now() < draw_next_) return;
    draw_next_ = clock_.Now() + Milliseconds(200);
    const double seconds = std::chrono::duration<double>(elapsed()).count();
    const double rate = static_cast<double>(done) / seconds;
    std::cerr << "\r" << done << " of " << total_ << " runs, " << std::fixed << std::setprecision(0) << rate
              << " a second, " << static_cast<double>(total_ - done) / rate << " s to go\x1b[K" << std::flush;
  }

 private:
  const uint64_t total_;
  const bool is_shown_;
  const PosixClock clock_;
  const Time started_;
  Time draw_next_;
  std::atomic<uint64_t>* done_;  // shared with the other processes
};

// ---- Runs ----

// Every `stride`-th seed from `first` on.
Totals RunSeeds(const CampaignOptions& options, size_t first, size_t stride, Progress& progress) {
  google::InstallFailureFunction(&OnFailure);
  Totals totals;
  for (size_t i = first; i < options.seeds.size(); i += stride) {
    if (options.time_limit.has_value() && progress.elapsed() >= *options.time_limit) break;
    RunOptions run = options.run;
    run.seed = options.seeds[i].seed;
    run.nodes = options.seeds[i].nodes;
    Running() = {.command = CommandFor(run, options.faults), .is_traced = run.trace};
    const RunResult result = RunSimulation(run);
    if (i % kRepeatEach == 0 && !run.trace) {
      CHECK_EQ(RunSimulation(run).hash, result.hash) << "the same seed did two different things";
      ++totals.repeated;
    }
    totals.Add(result);
    progress.OnRunDone();
  }
  totals.rare_cases = RareCase::Counts();
  return totals;
}

// A process of its own for a part of the seeds; what it puts into the pipe at its end, and fits there.
struct Job {
  int pipe = -1;
};

Job StartJob(const CampaignOptions& options, size_t number, Progress& progress) {
  int ends[2];
  PCHECK(pipe(ends) == 0);
  std::cout.flush();
  const pid_t process = fork();
  PCHECK(process >= 0);
  if (process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    std::ostringstream text;
    Write(text, RunSeeds(options, number, options.jobs, progress));
    const std::string bytes = text.str();
    FILE* const out = fdopen(ends[1], "w");
    fwrite(bytes.data(), 1, bytes.size(), out);
    fclose(out);
    _exit(0);
  }
  close(ends[1]);
  return {.pipe = ends[0]};
}

Totals ReadTotals(int pipe) {
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = read(pipe, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  close(pipe);
  std::istringstream in(text);
  return Read(in);
}

Totals RunAll(const CampaignOptions& options, Progress& progress) {
  if (options.jobs <= 1) return RunSeeds(options, 0, 1, progress);
  std::vector<Job> jobs;
  for (uint32_t job = 0; job < options.jobs; ++job) jobs.push_back(StartJob(options, job, progress));
  for (size_t left = jobs.size(); left > 0; --left) {
    int status = 0;
    PCHECK(wait(&status) > 0);
    // It has said why; the others end with this process.
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) _exit(1);
  }
  Totals totals;
  for (const Job& job : jobs) totals.Add(ReadTotals(job.pipe));
  return totals;
}

uint32_t NodesMax(const std::vector<Seed>& seeds) {
  uint32_t nodes = 0;
  for (const Seed& seed : seeds) nodes = std::max(nodes, seed.nodes);
  return nodes;
}

}  // namespace

bool RunCampaign(const CampaignOptions& options) {
  Totals totals;
  double real_seconds = 0;
  {
    Progress progress(options.seeds.size());
    totals = RunAll(options, progress);
    real_seconds = std::chrono::duration<double>(progress.elapsed()).count();
  }
  const std::vector<std::string> missing =
      Missing(totals, totals.runs, NodesMax(options.seeds), options.faults == "all");
  if (options.json) {
    PrintJson(std::cout, totals, real_seconds, missing);
  } else {
    PrintText(std::cout, totals, real_seconds);
    for (const std::string& line : missing) std::cout << "MISSING: " << line << '\n';
  }
  return missing.empty();
}

}  // namespace decree::sim
