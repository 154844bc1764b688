#pragma once
// Carries the core's messages to the other members: for each of them one stream for control and one
// for bulk, on connections of their own, so that entries cannot delay a lease.
//
// A message that goes to several peers is serialised once.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/support/slice.h>

#include "paxos/core/protocol/membership.h"
#include "paxos/core/replica.h"
#include "paxos/node/transport.h"
#include "rpc/loop/event_loop.h"
#include "rpc/peer/peer_link.h"

namespace decree::rpc {

class PeerTransport final : public paxos::Transport {
 public:
  // `own` outlives the transport.
  PeerTransport(EventLoop& loop, const PeerIdentity& own, const PeerLinkOptions& options);

  // Begins to connect to all other members.
  void Open(const paxos::Replica& replica);
  void Send(paxos::Envelope envelope) override;
  void Close();

  // How many of the other members both streams reach.
  uint32_t connected() const;
  // The members that it does not reach, and why.
  std::vector<std::string> Problems() const;

 private:
  struct Peer {
    std::unique_ptr<PeerLink> control;
    std::unique_ptr<PeerLink> bulk;
  };
  // The last Accept and its bytes; the next one is often the same for another peer.
  struct Serialised {
    paxos::Envelope envelope;
    grpc::Slice element;
  };

  std::unique_ptr<PeerLink> MakeLink(const paxos::Member& peer, v1::StreamKind kind);
  void SendInParts(paxos::Envelope envelope, PeerLink& link);
  void Hand(PeerLink& link, const grpc::Slice& element, const paxos::Envelope& envelope);
  grpc::Slice Serialise(const paxos::Envelope& envelope);

  EventLoop& loop_;
  const PeerIdentity& own_;
  const PeerLinkOptions options_;
  std::map<paxos::NodeId, Peer> peers_;
  std::optional<Serialised> last_accept_;
};

}  // namespace decree::rpc
