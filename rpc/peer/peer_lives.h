#pragma once
// The processes that a peer has been, to find out that it runs twice, from copies of one directory: a
// process whose place another has taken does not come back again and again, unless both run.
//
// Once or twice it may seem to: a greeting of a process that has ended can have waited in our own socket
// and come after that of its successor.

#include <cstdint>
#include <map>

#include "paxos/base/time.h"

namespace decree::rpc {

class PeerLives {
 public:
  // A process greets: takes the place of the one before. False if it must not, because it and another take
  // turns; for a while.
  bool Greet(uint64_t life, Time now);

 private:
  uint64_t present_ = 0;               // 0: none yet
  std::map<uint64_t, Time> replaced_;  // lately, and when
  int returns_ = 0;                    // of those
};

}  // namespace decree::rpc
