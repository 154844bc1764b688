#include "paxos/core/protocol/message.h"

#include <array>
#include <type_traits>
#include <utility>

namespace decree::paxos {
namespace {

constexpr size_t kMessageOverheadBytes = 64;
constexpr size_t kSlotOverheadBytes = 24;

// In the order of the variant.
constexpr std::array kNames = {"Introduction", "Poll",         "PollAnswer",       "Prepare",
                               "Promise",      "Accept",       "Accepted",         "Nack",
                               "Heartbeat",    "HeartbeatAck", "Waiver",           "StandNow",
                               "Fetch",        "FetchAnswer",  "ReadIndexRequest", "ReadIndexAnswer"};
static_assert(kNames.size() == std::variant_size_v<Message>);

template <typename Items>
size_t ItemsBytes(const Items& items) {
  size_t bytes = 0;
  for (const auto& item : items) bytes += kSlotOverheadBytes + EntryBytes(*item.entry);
  return bytes;
}

std::ostream& operator<<(std::ostream& out, const LogPosition& position) {
  out << position.slot;
  return position.byte == 0 ? out : out << '+' << position.byte;
}

std::ostream& operator<<(std::ostream& out, const EntryPart& part) {
  return out << part.slot << '+' << part.first_byte << ' ' << part.piece->payload.size() << " of "
             << part.payload_bytes;
}

// What follows the name in a trace.
struct Describe {
  std::ostream& out;

  void operator()(const Introduction& m) const {
    for (const auto& [node, incarnation] : m.known) out << " n" << node << '=' << incarnation;
    if (m.has_begun) out << " has_begun";
  }
  void operator()(const Poll& m) const {
    out << " ballot=" << m.ballot << " chosen=" << m.chosen_index << " poll=" << m.poll;
  }
  void operator()(const PollAnswer& m) const {
    out << (m.granted ? " granted" : " refused") << " promised=" << m.promised << " trim_point=" << m.trim_point
        << " chosen=" << m.chosen_index << " lease_left_ms=" << ToMilliseconds(m.lease_left) << " poll=" << m.poll;
  }
  void operator()(const Prepare& m) const {
    out << " ballot=" << m.ballot << " first=" << m.position;
    if (!m.waived.IsNone()) out << " waived=" << m.waived;
    out << " page_bytes=" << m.page_bytes;
  }
  void operator()(const Promise& m) const {
    out << " ballot=" << m.ballot << " first=" << m.position << " last=" << m.last_slot
        << " trim_point=" << m.trim_point << " chosen=" << m.chosen_index << " votes=" << m.votes.size();
    if (m.part.has_value()) out << " part=" << m.part->entry;
  }
  void operator()(const Accept& m) const {
    out << " ballot=" << m.ballot << " chosen=" << m.chosen_index << " slots=";
    for (const SlotEntry& item : m.entries) out << item.slot << ' ';
    if (m.inquiry == 0) return;
    out << "inquiry=" << m.inquiry << " asked=";
    for (const Slot slot : m.asked) out << slot << ' ';
  }
  void operator()(const Accepted& m) const {
    out << " ballot=" << m.ballot << " chosen=" << m.chosen_index << " slots=";
    for (const Slot slot : m.slots) out << slot << ' ';
    if (m.inquiry != 0) out << "inquiry=" << m.inquiry;
  }
  void operator()(const Nack& m) const { out << " ballot=" << m.ballot << " promised=" << m.promised; }
  void operator()(const Heartbeat& m) const {
    out << " ballot=" << m.ballot << " probe=" << m.probe << " chosen=" << m.chosen_index;
  }
  void operator()(const HeartbeatAck& m) const {
    out << " ballot=" << m.ballot << " probe=" << m.probe << " chosen=" << m.chosen_index;
  }
  void operator()(const Waiver& m) const { out << " ballot=" << m.ballot; }
  void operator()(const StandNow& m) const { out << " ballot=" << m.ballot; }
  void operator()(const Fetch& m) const {
    out << " stream=" << m.stream << '/' << m.number << " first=" << m.position << " last=" << m.last_slot
        << " received=" << m.received << " credit=" << m.credit;
  }
  void operator()(const FetchAnswer& m) const {
    out << " stream=" << m.stream << '/' << m.fetch << " sent=" << m.sent << " chosen=" << m.chosen_index
        << " trim_point=" << m.trim_point;
    if (!m.entries.empty()) {
      out << " slots=" << m.entries.front().slot << '-' << m.entries.back().slot;
    }
    if (m.part.has_value()) out << " part=" << *m.part;
  }
  void operator()(const ReadIndexRequest& m) const { out << " request=" << m.request; }
  void operator()(const ReadIndexAnswer& m) const {
    out << (m.served ? " served" : " refused") << " request=" << m.request << " index=" << m.index;
  }
};

}  // namespace

const char* MessageName(const Message& message) { return kNames[message.index()]; }

size_t MessageBytes(const Message& message) {
  if (const auto* accept = std::get_if<Accept>(&message)) {
    return kMessageOverheadBytes + ItemsBytes(accept->entries) + accept->asked.size() * sizeof(Slot);
  }
  if (const auto* answer = std::get_if<FetchAnswer>(&message)) {
    return kMessageOverheadBytes + answer->entries.size() * kSlotOverheadBytes + StreamBytes(*answer);
  }
  if (const auto* promise = std::get_if<Promise>(&message)) {
    const size_t part_bytes = promise->part.has_value() ? EntryBytes(*promise->part->entry.piece) : 0;
    return kMessageOverheadBytes + ItemsBytes(promise->votes) + part_bytes;
  }
  if (const auto* accepted = std::get_if<Accepted>(&message)) {
    return kMessageOverheadBytes + accepted->slots.size() * sizeof(Slot);
  }
  return kMessageOverheadBytes;
}

std::vector<Accept> SplitByEntry(Accept accept) {
  std::vector<Accept> parts;
  for (SlotEntry& entry : accept.entries) {
    parts.push_back({.ballot = accept.ballot, .chosen_index = accept.chosen_index, .entries = {std::move(entry)}});
  }
  parts.back().asked = std::move(accept.asked);
  parts.back().inquiry = accept.inquiry;
  return parts;
}

LogPosition EndOf(const Promise& page) {
  if (page.last_slot == Slot::Max()) return {page.last_slot};
  if (page.part.has_value()) {
    const EntryPart& part = page.part->entry;
    const uint64_t end = part.first_byte + part.piece->payload.size();
    if (end < part.payload_bytes) return {part.slot, end};
  }
  return {page.last_slot.Next()};
}

uint64_t StreamBytes(const FetchAnswer& answer) {
  uint64_t bytes = 0;
  for (const SlotEntry& item : answer.entries) bytes += EntryBytes(*item.entry);
  if (answer.part.has_value()) bytes += EntryBytes(*answer.part->piece);
  return bytes;
}

bool IsBulk(const Message& message) {
  return std::holds_alternative<Accept>(message) || std::holds_alternative<FetchAnswer>(message) ||
         std::holds_alternative<Promise>(message);
}

std::ostream& operator<<(std::ostream& out, const Message& message) {
  out << MessageName(message);
  std::visit(Describe{out}, message);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Envelope& envelope) {
  return out << 'n' << envelope.from << " > n" << envelope.to << ' ' << envelope.message;
}

}  // namespace decree::paxos
