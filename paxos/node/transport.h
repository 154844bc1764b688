#pragma once
// Carries messages to peers, without a promise: any may be lost, repeated or reordered. Incoming
// messages are handed to Node::OnMessage by whoever implements this.

#include "paxos/core/protocol/message.h"

namespace decree::paxos {

class Transport {
 public:
  virtual ~Transport() = default;
  // Never blocks. A peer whose queue is full loses the message; catch-up repairs that.
  virtual void Send(Envelope envelope) = 0;
};

}  // namespace decree::paxos
