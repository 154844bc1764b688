#pragma once
// The processes that a peer has been. They show when it runs twice, from copies of one directory: a process that
// another has replaced does not come back again and again, unless both run.
//
// Once or twice it may seem to: the greeting of a process that has ended can have waited in our own socket, and come
// after that of its successor.

#include <cstdint>
#include <map>

#include "paxos/base/time.h"

namespace decree::rpc {

class PeerLives {
 public:
  // A process greets, and replaces the one before. False, for a while, if it may not, because it and another take
  // turns.
  bool Greet(uint64_t life, Time now);

 private:
  uint64_t present_ = 0;               // the life of the present process; 0: none yet
  std::map<uint64_t, Time> replaced_;  // the lives that were replaced lately, and when
  int returns_ = 0;                    // how often one of those came back
};

}  // namespace decree::rpc
