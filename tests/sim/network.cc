#include "tests/sim/network.h"

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
  queue_.After(after + DrawDelay(), [this, envelope] { Arrive(envelope); });
}

void Network::Arrive(const paxos::Envelope& envelope) {
  if (cut_.contains({envelope.from, envelope.to})) {
    trace_.Count("message cut off");
    return;
  }
  trace_.Mix(envelope.from.value() << 8 | envelope.to.value(), envelope.message.index());
  trace_.Print([&](auto& out) { out << "  arrives: " << envelope; });
  deliver_(envelope);
}

}  // namespace decree::sim
