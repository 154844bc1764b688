#pragma once
// Keeps what the process holds in memory within its limit, whatever callers find that no other limit foresees.
//
// Each pool of a node is bounded (README, "What a node holds"), but gRPC holds things that it does not count: 32 to 64
// bytes for each frame that waits to be read, for one. So what the process holds is measured. Before it comes to the
// limit, connections are reset: those that have no request under way, and where that was not enough, all of clients.
// They connect again, and nothing that was acknowledged is lost.
//
// For the loop's thread.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "paxos/base/time.h"

namespace decree::rpc {

class MemoryGuard {
 public:
  // What comes while connections are being reset, and before that is seen, fits in here.
  static constexpr size_t kReserve = 128 << 20;

  // What is measured and done, elsewhere.
  struct Actions {
    // The bytes that the process holds.
    std::function<size_t()> measure = MeasureHeld;
    // Gives what is free back to the system; the allocator keeps it for a while.
    std::function<void()> trim = Trim;
    std::function<void()> reset_idle;
    std::function<void()> reset_all;
    // Tells the operator.
    std::function<void(const std::string& problem)> note;
  };

  // `bytes_max` is the limit for all that the process holds, its caches included.
  MemoryGuard(size_t bytes_max, Actions actions);

  // Looks whether it is time for something, at most every 20 ms. Call it in each turn of the loop.
  void Look(Time now);

  // The memory of the process that is in use and of no file; 0 where the system does not tell.
  static size_t MeasureHeld();
  static void Trim();

 private:
  size_t FirstLimit() const { return bytes_max_ - std::min(bytes_max_, kReserve); }
  bool IsSettling(Time now, size_t held) const;
  void Act(Time now, size_t held);

  const size_t bytes_max_;
  const Actions actions_;
  size_t limit_;                     // of what is held before something is done
  std::optional<Time> first_reset_;  // since when too much is held; none if it is not
  Time last_reset_{};
  size_t held_then_ = 0;
  Time looked_at_{};
};

}  // namespace decree::rpc
