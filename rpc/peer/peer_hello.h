#pragma once
// The greeting that opens a stream between nodes, in both directions: it tells who speaks, and to whom the
// speaker believes to speak. A misspelt address, another cluster's node or a member's replaced disk shows here, before
// a single message counts.

#include <cstdint>
#include <string>

#include "decree/v1/peer.pb.h"
#include "paxos/base/status.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/types.h"
#include "paxos/log/segment_log.h"

namespace decree::rpc {

inline constexpr uint32_t kPeerProtocol = 4;

// What we are to our peers.
struct PeerIdentity {
  std::string cluster;
  paxos::Identity self;
  uint64_t founding = 0;  // digest of the founding configuration
};

PeerIdentity MakePeerIdentity(const paxos::LogIdentity& log, paxos::Life life);

v1::PeerHello MakeHello(const PeerIdentity& own, paxos::NodeId to, v1::StreamKind kind);

// Whether the greeting is a peer's of ours. kFailedPrecondition says what does not fit, in words for the operators of
// both ends.
Status CheckHello(const v1::PeerHello& hello, const PeerIdentity& own, const paxos::Configuration& configuration);

}  // namespace decree::rpc
