#include "tests/sim/network.h"

#include <algorithm>
#include <cmath>

namespace decree::sim {

Duration Network::DrawDelay() {
  const Duration usual = random_.Between(faults_.delay_min, faults_.delay_max);
  if (!random_.Chance(faults_.tail)) return usual;
  trace_.Count("message delayed");
  const double exponent = static_cast<double>(random_.Below(1'000'001)) / 1e6;
  const double span = static_cast<double>(faults_.tail_max.count());
  return usual + Duration(static_cast<int64_t>(std::pow(span, exponent)));
}

Duration Network::DrawDelayOf(const paxos::Envelope& envelope) {
  const Duration delay = DrawDelay();
  if ((faults_.slow_kinds >> envelope.message.index() & 1) == 0) return delay;
  if (queue_.now() >= slow_until_) {
    slow_.clear();
    slow_until_ = queue_.now() + random_.Between(Milliseconds(500), Seconds(5));
  }
  const auto [slow, is_new] = slow_.try_emplace({envelope.from, envelope.to}, false);
  if (is_new) slow->second = random_.Chance(faults_.slow_pairs);
  if (!slow->second) return delay;
  trace_.Count("fault: slow-kinds");
  return delay + random_.Between(Duration(0), faults_.slow_max);
}

void Network::Send(const paxos::Envelope& envelope, Duration after) {
  if (DrawLoss()) {
    trace_.Count("message lost");
    trace_.Print([&](auto& out) { out << envelope << " (lost)"; });
    return;
  }
  SendOne(envelope, after);
  if (random_.Chance(faults_.duplication)) {
    trace_.Count("message repeated");
    SendOne(envelope, after);
  }
}

void Network::SendOne(const paxos::Envelope& envelope, Duration after) {
  trace_.Print([&](auto& out) { out << envelope; });
  if (links_.bytes_per_second == 0) {
    queue_.After(after + DrawDelayOf(envelope), [this, envelope] { Arrive(envelope); });
  } else {
    queue_.After(after, [this, envelope] { PassLink(envelope); });
  }
}

void Network::PassLink(const paxos::Envelope& envelope) {
  const auto time_of = [&](uint64_t bytes) {
    return Duration(static_cast<int64_t>(bytes * 1'000'000'000 / links_.bytes_per_second));
  };
  Instant& busy_until = busy_until_[{envelope.from, envelope.to}];
  const Instant begin = std::max(busy_until, queue_.now());
  if (begin - queue_.now() > time_of(links_.queue_bytes_max)) {
    return trace_.Count("message found a full queue");
  }
  busy_until = begin + time_of(paxos::MessageBytes(envelope.message));
  queue_.At(busy_until + DrawDelayOf(envelope), [this, envelope] { Arrive(envelope); });
}

bool Network::HoldUp(const paxos::Envelope& envelope) {
  if (queue_.now() >= held_up_.until || envelope.to != held_up_.node) return false;
  const bool is_accept = std::holds_alternative<paxos::Accept>(envelope.message);
  if (is_accept && envelope.from == held_up_.leader) {
    queue_.At(held_up_.until, [this, envelope] { Arrive(envelope); });
    return true;
  }
  return is_accept || std::holds_alternative<paxos::Prepare>(envelope.message) ||
         std::holds_alternative<paxos::Heartbeat>(envelope.message);
}

void Network::Arrive(const paxos::Envelope& envelope) {
  if (cut_.contains({envelope.from, envelope.to})) {
    trace_.Count("message cut off");
    return;
  }
  if (HoldUp(envelope)) return;
  trace_.Mix(envelope.from.value() << 8 | envelope.to.value(), envelope.message.index());
  trace_.Print([&](auto& out) { out << "  arrives: " << envelope; });
  deliver_(envelope);
}

}  // namespace decree::sim
