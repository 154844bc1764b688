#pragma once
// How long this thread has worked.

#include <ctime>

#include <glog/logging.h>

#include "paxos/base/time.h"

namespace decree::rpc {

// Time in which others ran or nothing did is not in it. A system call, unlike a look at the clock.
inline Duration ThreadTime() {
  timespec time{};
  CHECK_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace decree::rpc
