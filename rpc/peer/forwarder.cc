#include "rpc/peer/forwarder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "rpc/channel_arguments.h"
#include "rpc/peer/peer_frame.h"

namespace decree::rpc {
namespace {

uint64_t MicrosecondsUntil(Time then, Time now) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(then - now).count();
  return static_cast<uint64_t>(std::max<int64_t>(left, 1));
}

ForwardEnd EndOf(v1::ForwardAnswer& answer) {
  ForwardEnd end;
  if (answer.has_error()) {
    end.kind = ForwardEnd::Kind::kFailure;
    end.failure = Failure::FromRequestError(std::move(*answer.mutable_error()));
    return end;
  }
  end.result = std::move(*answer.mutable_result());
  if (answer.has_previous()) end.previous = std::make_shared<v1::KeyValue>(std::move(*answer.mutable_previous()));
  return end;
}

}  // namespace

Forwarder::Forwarder(EventLoop& loop, const PeerIdentity& own, const PeerLinkOptions& options)
    : loop_(loop), own_(own), options_(options) {}

void Forwarder::Open(const paxos::Replica& replica) {
  for (const paxos::Member& member : replica.configuration().members) {
    if (member.id == own_.self.node) continue;
    Peer& peer = peers_[member.id];
    peer.link = std::make_unique<PeerLink>(
        loop_, PeerLink::Ends{.own = own_, .peer = member, .kind = v1::STREAM_KIND_FORWARD},
        MakeNodeChannel(member.peer_address), options_,
        PeerLinkListener{.on_reply = [this, &peer](v1::PeerReply& reply) { OnAnswers(peer, *reply.mutable_answers()); },
                         .on_broken = [this, &peer] { OnBroken(peer); }});
    peer.link->Open(replica);
  }
}

void Forwarder::Close() {
  for (auto& [id, peer] : peers_) peer.link->Close();
}

bool Forwarder::IsConnected(paxos::NodeId node) const {
  const auto found = peers_.find(node);
  return found != peers_.end() && found->second.link->is_open();
}

uint64_t Forwarder::Forward(paxos::NodeId node, std::shared_ptr<const std::string> command, Time answer_by,
                            OnEnd done) {
  CHECK(IsConnected(node)) << 'n' << node;
  Peer& peer = peers_.at(node);
  const uint64_t number = next_number_++;
  const size_t bytes = command->size();
  peer.writes.emplace(
      number, Write{.command = std::move(command), .bytes = bytes, .answer_by = answer_by, .done = std::move(done)});
  peer.unsent.push_back(number);
  SendNext(peer);
  return number;
}

void Forwarder::SendNext(Peer& peer) {
  const Time now = loop_.Now();
  while (!peer.unsent.empty() && peer.sent < kSentMax && (peer.sent == 0 || peer.sent_bytes < kSentBytesMax)) {
    const uint64_t number = peer.unsent.front();
    peer.unsent.pop_front();
    const auto found = peer.writes.find(number);
    if (found == peer.writes.end()) continue;  // It was withdrawn.
    Write& write = found->second;
    v1::ForwardedWrite wire;
    wire.set_number(number);
    wire.set_time_left_us(MicrosecondsUntil(write.answer_by, now));
    wire.set_command(*write.command);
    if (!peer.link->Send(EncodeElement(std::move(wire)))) return peer.unsent.push_front(number);
    write.command.reset();
    write.was_sent = true;
    ++peer.sent;
    peer.sent_bytes += write.bytes;
  }
}

Forwarder::Write Forwarder::Take(Peer& peer, uint64_t number) {
  Write write = std::move(peer.writes.extract(number).mapped());
  if (write.was_sent) {
    --peer.sent;
    peer.sent_bytes -= write.bytes;
  }
  return write;
}

void Forwarder::OnAnswers(Peer& peer, v1::ForwardAnswers& answers) {
  for (v1::ForwardAnswer& answer : *answers.mutable_answers()) {
    const auto found = peer.writes.find(answer.number());
    // The peer may have made the number up.
    if (found == peer.writes.end() || !found->second.was_sent) continue;
    const Write write = Take(peer, answer.number());
    if (write.done != nullptr) write.done(EndOf(answer));
  }
  SendNext(peer);
}

void Forwarder::OnBroken(Peer& peer) {
  peer.unsent.clear();
  peer.sent = 0;
  peer.sent_bytes = 0;
  for (auto& [number, write] : std::exchange(peer.writes, {})) {
    if (write.done == nullptr) continue;
    ForwardEnd end;
    end.kind = write.was_sent ? ForwardEnd::Kind::kLost : ForwardEnd::Kind::kNotSent;
    write.done(std::move(end));
  }
}

bool Forwarder::Withdraw(uint64_t number) {
  for (auto& [id, peer] : peers_) {
    const auto found = peer.writes.find(number);
    if (found == peer.writes.end()) continue;
    if (!found->second.was_sent) {
      peer.writes.erase(found);
      return false;
    }
    found->second.done = nullptr;
    return true;
  }
  return false;
}

void Forwarder::GiveUpAllBut(paxos::NodeId node) {
  for (auto& [id, peer] : peers_) {
    if (id != node && !peer.writes.empty()) OnBroken(peer);
  }
}

size_t Forwarder::outstanding() const {
  size_t count = 0;
  for (const auto& [id, peer] : peers_) count += peer.writes.size();
  return count;
}

}  // namespace decree::rpc
