#include "rpc/peer/peer_transport.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <glog/logging.h>

#include "rpc/channel_arguments.h"
#include "rpc/peer/codec.h"
#include "rpc/peer/peer_frame.h"

namespace decree::rpc {
namespace {

bool AreSame(const paxos::Accept& a, const paxos::Accept& b) {
  return a.ballot == b.ballot && a.chosen_index == b.chosen_index && a.asked == b.asked && a.inquiry == b.inquiry &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const paxos::SlotEntry& x, const paxos::SlotEntry& y) {
                      return x.slot == y.slot && x.entry == y.entry;
                    });
}

}  // namespace

PeerTransport::PeerTransport(EventLoop& loop, const PeerIdentity& own, const PeerLinkOptions& options)
    : loop_(loop), own_(own), options_(options) {}

void PeerTransport::Open(const paxos::Replica& replica) {
  for (const paxos::Member& member : replica.configuration().members) {
    if (member.id == own_.self.node) continue;
    peers_.emplace(member.id, Peer{.control = MakeLink(member, v1::STREAM_KIND_CONTROL),
                                   .bulk = MakeLink(member, v1::STREAM_KIND_BULK)});
  }
  for (auto& [id, peer] : peers_) {
    peer.control->Open(replica);
    peer.bulk->Open(replica);
  }
}

std::unique_ptr<PeerLink> PeerTransport::MakeLink(const paxos::Member& peer, v1::StreamKind kind) {
  return std::make_unique<PeerLink>(loop_, PeerLink::Ends{.own = own_, .peer = peer, .kind = kind},
                                    MakeNodeChannel(peer.peer_address), options_);
}

void PeerTransport::Send(paxos::Envelope envelope) {
  const auto found = peers_.find(envelope.to);
  if (found == peers_.end()) return;
  PeerLink& link = paxos::IsBulk(envelope.message) ? *found->second.bulk : *found->second.control;
  auto* const accept = std::get_if<paxos::Accept>(&envelope.message);
  if (accept != nullptr && accept->entries.size() > 1 &&
      paxos::MessageBytes(envelope.message) > options_.frame_bytes_max) {
    return SendInParts(std::move(envelope), link);
  }
  Hand(link, Serialise(envelope), envelope);
}

void PeerTransport::Hand(PeerLink& link, const grpc::Slice& element, const paxos::Envelope& envelope) {
  if (link.Send(element)) return;
  VLOG(2) << "dropped: " << envelope << " reason=\"" << (link.is_open() ? "too much waits to be sent" : "no stream")
          << '"';
}

void PeerTransport::SendInParts(paxos::Envelope envelope, PeerLink& link) {
  // Repeated as a whole, the message could exceed what a peer receives each time.
  for (paxos::Accept& part : paxos::SplitByEntry(std::move(std::get<paxos::Accept>(envelope.message)))) {
    envelope.message = std::move(part);
    Hand(link, EncodeElement(ToWire(envelope)), envelope);
  }
}

grpc::Slice PeerTransport::Serialise(const paxos::Envelope& envelope) {
  const auto* const accept = std::get_if<paxos::Accept>(&envelope.message);
  if (accept == nullptr) return EncodeElement(ToWire(envelope));
  const bool is_same = last_accept_.has_value() && last_accept_->envelope.to_life == envelope.to_life &&
                       AreSame(std::get<paxos::Accept>(last_accept_->envelope.message), *accept);
  if (!is_same) last_accept_ = {.envelope = envelope, .element = EncodeElement(ToWire(envelope))};
  return last_accept_->element;
}

void PeerTransport::Close() {
  for (auto& [id, peer] : peers_) {
    peer.control->Close();
    peer.bulk->Close();
  }
}

uint32_t PeerTransport::connected() const {
  return static_cast<uint32_t>(std::count_if(peers_.begin(), peers_.end(), [](const auto& item) {
    return item.second.control->is_open() && item.second.bulk->is_open();
  }));
}

std::vector<std::string> PeerTransport::Problems() const {
  std::vector<std::string> problems;
  for (const auto& [id, peer] : peers_) {
    std::string problem = peer.control->Problem();
    if (problem.empty()) problem = peer.bulk->Problem();
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace decree::rpc
