#pragma once
// Puts a target under load, and measures.
//
// Closed loop: so many requests are always in flight, each followed by the next when it is answered. Open
// loop: requests are due at random times at a given rate (a Poisson process) and their latency counts from
// when they were due, so that a target that stalls is not spared those that it kept from being sent.
// (Tene's "coordinated omission".)
//
// One thread, the target's.

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/histogram.h"
#include "bench/target.h"
#include "bench/workload.h"
#include "paxos/base/posix_clock.h"
#include "paxos/base/random.h"
#include "paxos/base/status.h"
#include "paxos/base/time.h"

namespace decree::bench {

struct LoadOptions {
  // Closed loop: always so many; open loop: at most, and what is due beyond waits.
  size_t in_flight = 64;
  // Requests a second in the open loop; 0: closed loop.
  double rate = 0;
  Duration warm_up = Seconds(2);  // Not measured.
  Duration duration = Seconds(10);
  uint64_t seed = 1;

  Status Validate() const;
};

// What was answered in one second of the run.
struct Second {
  uint64_t done = 0;
  uint64_t errors = 0;
  Duration p50{}, p99{}, max{};
};

struct LoadResult {
  Duration measured{};
  std::array<Histogram, kKinds> latency;   // Of what succeeded; a modification counts as one.
  std::map<std::string, uint64_t> errors;  // By status code.
  std::string first_error;
  uint64_t not_found = 0;   // reads of a key that is not there
  uint64_t swaps_lost = 0;  // swaps answered with another revision
  Duration longest_gap{};   // without any success
  std::vector<Second> seconds;

  Histogram All() const;
  uint64_t error_count() const;
};

// Is told how a load goes, on the load's thread.
class LoadObserver {
 public:
  virtual ~LoadObserver() = default;
  // A hundredth of all keys more, or the last, is written.
  virtual void OnPreloaded(uint64_t /*written*/, uint64_t /*keys*/) {}
  // After the warm-up, and at the end.
  virtual void OnMeasuringBegins() {}
  virtual void OnMeasuringEnds() {}
  virtual void OnSecond(const Second&) {}
};

class Load {
 public:
  // `options` are valid.
  Load(Target& target, Workload& workload, const LoadOptions& options, LoadObserver& observer);
  ~Load();

  // Writes every key of the workload once. Fails if nothing succeeds for half a minute.
  Status Preload();
  // Warm-up, then measurement.
  LoadResult Run();

 private:
  class Slot;

  // Whether requests are drawn from the workload or write all keys once.
  enum class Phase { kIdle, kPreload, kRun };

  void StartWhatIsDue(Time now);
  bool TakeDue(Time now, Time& due);
  void OnDone(Slot& slot, const Reply& reply, Time now);
  void Note(Kind kind, Duration latency, const Reply& reply, Time now);
  void CloseSecond();
  void AwaitIdle();
  Time NextEvent() const;
  // How a swap knows the key's last change; 0 as long as nothing is known.
  uint64_t& RevisionOf(uint64_t key);

  Target& target_;
  Workload& workload_;
  const LoadOptions options_;
  LoadObserver& observer_;
  const PosixClock clock_;
  Random random_;

  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> free_;
  std::deque<std::pair<Time, Slot*>> resting_;  // after an error, until when
  Phase phase_ = Phase::kIdle;

  // Preload.
  uint64_t next_key_ = 0;
  uint64_t written_ = 0;
  std::vector<uint64_t> rewrite_;  // keys whose put has failed
  std::vector<uint64_t> revisions_;

  // Open loop.
  std::deque<Time> due_;
  Time next_due_;

  // Measurement.
  bool is_measuring_ = false;
  LoadResult result_;
  Time last_success_;
  Second second_;
  Histogram second_latency_;
};

}  // namespace decree::bench
