#pragma once
// The core's messages and their form on the wire (proto/decree/v1/peer.proto).
//
// Whatever comes from outside is checked here, once, so that behind this door every message is one that a correct peer
// could have sent: numbers are within bounds, every slot has its entry, and the state machine can take entries apart.
// Anything else is an error that names the field.

#include "decree/v1/peer.pb.h"
#include "paxos/base/status.h"
#include "paxos/core/protocol/message.h"

namespace decree::rpc {

// The result lacks sender and receiver: the stream says who they are.
v1::PeerMessage ToWire(const paxos::Envelope& envelope);

// Fills in the message and the lives, and leaves `from`, `to` and the incarnation to the caller. Moves payloads out of
// `wire`.
StatusOr<paxos::Envelope> FromWire(v1::PeerMessage& wire);

}  // namespace decree::rpc
