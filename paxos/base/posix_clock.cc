#include "paxos/base/posix_clock.h"

#include <glog/logging.h>
#include <time.h>

namespace decree {

Time PosixClock::Now() const {
  timespec now{};
  PCHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
  return Time(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace decree
