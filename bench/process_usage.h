#pragma once
// What processes of this machine have used, from /proc.

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "paxos/base/status.h"
#include "paxos/base/time.h"

namespace decree::bench {

struct ProcessUsage {
  Duration cpu{};  // user and system, all threads that have run in it
  uint64_t resident_bytes = 0;
  uint64_t switches = 0;  // of threads that still run, voluntary or not
};

// The process that listens on a TCP port of this machine, if it can be found: it may be another user's.
std::optional<pid_t> ListenerOn(uint16_t port);

// "decreed"; empty if there is no such process.
std::string ProcessName(pid_t pid);

// kNotFound if it has ended.
StatusOr<ProcessUsage> UsageOf(pid_t pid);

}  // namespace decree::bench
