#pragma once
// The processes that a peer has been, to find out that it runs twice, from copies of one directory: a
// process whose place another has taken does not come back, unless both run.
//
// A greeting proves nothing: that of a process which has ended may have waited in our own socket. A message
// does, for it follows our answer to the greeting.

#include <cstdint>
#include <map>

#include "paxos/base/time.h"

namespace decree::rpc {

class PeerLives {
 public:
  // A stream of this process has brought its first message.
  void OnMessage(uint64_t life, Time now);
  // Another process has lately taken its place.
  bool IsReplaced(uint64_t life, Time now) const;

 private:
  uint64_t present_ = 0;  // 0: none yet
  std::map<uint64_t, Time> replaced_;  // when
};

}  // namespace decree::rpc
