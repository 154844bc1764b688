#pragma once
// The machine's own CLOCK_BOOTTIME. Safe from any thread.

#include "paxos/base/time.h"

namespace decree {

class PosixClock final : public Clock {
 public:
  Time Now() const override;
};

}  // namespace decree
