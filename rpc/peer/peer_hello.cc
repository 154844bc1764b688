#include "rpc/peer/peer_hello.h"

#include "paxos/base/checksum.h"
#include "rpc/printable.h"

namespace decree::rpc {
namespace {

constexpr uint64_t kFoundingSeed = 0x666f756e64696e67;  // "founding"

template <typename... Parts>
Status Mismatch(const Parts&... parts) {
  return absl::FailedPreconditionError(StrCat(parts...));
}

}  // namespace

PeerIdentity MakePeerIdentity(const paxos::LogIdentity& log, paxos::Life life) {
  return {.cluster = log.cluster,
          .self = {.node = log.node, .incarnation = log.incarnation, .life = life},
          .founding = Checksum(log.founding.Encode(), kFoundingSeed)};
}

v1::PeerHello MakeHello(const PeerIdentity& own, paxos::NodeId to, v1::StreamKind kind) {
  v1::PeerHello hello;
  hello.set_protocol(kPeerProtocol);
  hello.set_cluster(own.cluster);
  hello.set_from(own.self.node.value());
  hello.set_to(to.value());
  hello.set_incarnation(own.self.incarnation.value());
  hello.set_life(own.self.life.value());
  hello.set_founding(own.founding);
  hello.set_kind(kind);
  return hello;
}

Status CheckHello(const v1::PeerHello& hello, const PeerIdentity& own, const paxos::Configuration& configuration) {
  const uint32_t self = own.self.node.value();
  if (hello.protocol() != kPeerProtocol) {
    return Mismatch("n", hello.from(), " speaks peer protocol ", hello.protocol(), ", n", self, " speaks ",
                    kPeerProtocol, "; run the same version of decreed on both");
  }
  if (hello.cluster() != own.cluster) {
    return Mismatch("n", hello.from(), " belongs to cluster \"", Printable(hello.cluster(), kNameBytesMax), "\", n",
                    self, " to \"", own.cluster, "\"; check the members' peer addresses");
  }
  if (hello.to() != self) {
    return Mismatch("n", hello.from(), " meant to reach n", hello.to(), " and has reached n", self,
                    "; check the members' peer addresses");
  }
  if (hello.founding() != own.founding) {
    return Mismatch("n", hello.from(), " and n", self,
                    " were formatted with different members, addresses, quorums or lease; format "
                    "the wrong one anew with the same as the others");
  }
  const paxos::Member* const member = configuration.Find(paxos::NodeId(hello.from()));
  if (member == nullptr || hello.from() == self) {
    return Mismatch("n", hello.from(), " is no peer of n", self);
  }
  if (hello.kind() < v1::STREAM_KIND_CONTROL || hello.kind() > v1::STREAM_KIND_FORWARD) {
    return Mismatch("n", hello.from(), " opens a stream of kind ", static_cast<int>(hello.kind()), ", unknown to n",
                    self);
  }
  if (hello.incarnation() == 0 || hello.life() == 0) {
    return Mismatch("n", hello.from(), " names no incarnation or no life");
  }
  if (!member->incarnation.IsZero() && member->incarnation.value() != hello.incarnation()) {
    return Mismatch("n", hello.from(), " is not the n", hello.from(), " that n", self,
                    " knows: it was formatted anew, or two nodes run under one id. A node that was "
                    "formatted anew has forgotten what it promised, and may not come back under its old "
                    "id; stop the wrong one");
  }
  return OkStatus();
}

}  // namespace decree::rpc
