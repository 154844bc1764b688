#include "paxos/core/protocol/outbox.h"

#include <utility>

#include <glog/logging.h>

#include "paxos/base/planted_bug.h"

namespace decree::paxos {

Ticket Outbox::Persist(Record record) {
  gathering_.push_back(std::move(record));
  return handed_out_.Next();
}

Ticket Outbox::last_ticket() const { return gathering_.empty() ? handed_out_ : handed_out_.Next(); }

void Outbox::Send(NodeId to, Life to_life, Message message) { Release(Address(to, to_life, std::move(message))); }

void Outbox::SendAfter(Ticket ticket, NodeId to, Life to_life, Message message) {
  CHECK_LE(ticket, last_ticket());
  if (IsDurable(ticket) || IsPlanted(PlantedBug::kAnswerBeforeSync)) {
    Send(to, to_life, std::move(message));
  } else {
    held_.emplace(ticket, Address(to, to_life, std::move(message)));
  }
}

void Outbox::OnDurable(Ticket ticket) {
  CHECK_LE(ticket, handed_out_);
  if (ticket <= durable_) return;
  durable_ = ticket;
  while (!pending_.empty() && pending_.front().ticket <= ticket) pending_.pop_front();
  const auto end = held_.upper_bound(ticket);
  for (auto it = held_.begin(); it != end; ++it) Release(std::move(it->second));
  held_.erase(held_.begin(), end);
}

std::optional<Time> Outbox::OldestPending() const {
  if (pending_.empty()) return std::nullopt;
  return pending_.front().since;
}

std::optional<Envelope> Outbox::TakeLoopback() {
  if (loopback_.empty()) return std::nullopt;
  Envelope envelope = std::move(loopback_.front());
  loopback_.pop_front();
  return envelope;
}

void Outbox::Drain(Time now, Output& out) {
  for (Envelope& envelope : released_) out.messages.push_back(std::move(envelope));
  released_.clear();
  if (gathering_.empty()) return;
  ++handed_out_;
  pending_.push_back({.ticket = handed_out_, .since = now});
  out.records.push_back({.ticket = handed_out_, .records = std::move(gathering_)});
  gathering_.clear();
}

Envelope Outbox::Address(NodeId to, Life to_life, Message message) const {
  return {.from = self_.node,
          .to = to,
          .from_incarnation = self_.incarnation,
          .from_life = self_.life,
          .to_life = to_life,
          .message = std::move(message)};
}

void Outbox::Release(Envelope envelope) {
  if (envelope.to == self_.node) {
    loopback_.push_back(std::move(envelope));
  } else {
    VLOG(2) << "sent: " << envelope;
    released_.push_back(std::move(envelope));
  }
}

}  // namespace decree::paxos
