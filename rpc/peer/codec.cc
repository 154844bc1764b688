#include "rpc/peer/codec.h"

#include <memory>
#include <utility>
#include <variant>

#include "paxos/core/protocol/entry_check.h"
#include "paxos/core/protocol/membership.h"

namespace decree::rpc {
namespace {

using paxos::Ballot;
using paxos::Entry;
using paxos::EntryKind;
using paxos::EntryPtr;
using paxos::Message;
using paxos::NodeId;
using paxos::Slot;

// No cluster lives long enough to reach these; they leave room for arithmetic on what is received.
constexpr uint64_t kSlotMax = uint64_t{1} << 62;
constexpr int kKnownMax = 64;  // as many members as a configuration may have
constexpr uint64_t kStreamBytesMax = uint64_t{1} << 62;
constexpr uint64_t kEntryBytesMax = uint64_t{1} << 30;  // far above what a batch may hold
constexpr uint64_t kLeaseLeftMaxNs = 3'600'000'000'000;

// ---- Structs to proto ----

void Put(const Ballot& ballot, v1::Ballot& wire) {
  wire.set_round(ballot.round);
  wire.set_node(ballot.node.value());
}

void Put(const Entry& entry, v1::Entry& wire) {
  wire.set_kind(static_cast<uint32_t>(entry.kind));
  Put(entry.proposer, *wire.mutable_proposer());
  wire.set_log_time(entry.log_time.value());
  wire.set_payload(entry.payload);
}

void Put(const paxos::SlotEntry& item, v1::SlotEntry& wire) {
  wire.set_slot(item.slot.value());
  Put(*item.entry, *wire.mutable_entry());
}

void Put(const paxos::Vote& vote, v1::Vote& wire) {
  wire.set_slot(vote.slot.value());
  Put(vote.ballot, *wire.mutable_ballot());
  wire.set_chosen(vote.chosen);
  Put(*vote.entry, *wire.mutable_entry());
}

void Put(const paxos::EntryPart& part, v1::EntryPart& wire) {
  wire.set_slot(part.slot.value());
  Put(*part.piece, *wire.mutable_piece());
  wire.set_first_byte(part.first_byte);
  wire.set_payload_bytes(part.payload_bytes);
}

void Put(const paxos::VotePart& part, v1::VotePart& wire) {
  Put(part.ballot, *wire.mutable_ballot());
  wire.set_chosen(part.chosen);
  Put(part.entry, *wire.mutable_entry());
}

struct Encoder {
  v1::PeerMessage& wire;

  void operator()(const paxos::Introduction& m) const {
    auto& out = *wire.mutable_introduction();
    for (const auto& [node, incarnation] : m.known) {
      auto& known = *out.add_known();
      known.set_node(node.value());
      known.set_incarnation(incarnation.value());
    }
    out.set_has_begun(m.has_begun);
  }
  void operator()(const paxos::Poll& m) const {
    auto& out = *wire.mutable_poll();
    out.set_poll(m.poll);
    Put(m.ballot, *out.mutable_ballot());
    out.set_chosen_index(m.chosen_index.value());
  }
  void operator()(const paxos::PollAnswer& m) const {
    auto& out = *wire.mutable_poll_answer();
    out.set_poll(m.poll);
    out.set_granted(m.granted);
    Put(m.promised, *out.mutable_promised());
    out.set_trim_point(m.trim_point.value());
    out.set_chosen_index(m.chosen_index.value());
    out.set_lease_left_ns(static_cast<uint64_t>(m.lease_left.count()));
  }
  void operator()(const paxos::Prepare& m) const {
    auto& out = *wire.mutable_prepare();
    Put(m.ballot, *out.mutable_ballot());
    out.set_first_slot(m.position.slot.value());
    out.set_first_byte(m.position.byte);
    if (!m.waived.IsNone()) Put(m.waived, *out.mutable_waived());
    out.set_page_bytes(m.page_bytes);
  }
  void operator()(const paxos::Promise& m) const {
    auto& out = *wire.mutable_promise();
    Put(m.ballot, *out.mutable_ballot());
    out.set_first_slot(m.position.slot.value());
    out.set_first_byte(m.position.byte);
    out.set_last_slot(m.last_slot.value());
    out.set_trim_point(m.trim_point.value());
    out.set_chosen_index(m.chosen_index.value());
    for (const paxos::Vote& vote : m.votes) Put(vote, *out.add_votes());
    if (m.part.has_value()) Put(*m.part, *out.mutable_part());
  }
  void operator()(const paxos::Accept& m) const {
    auto& out = *wire.mutable_accept();
    Put(m.ballot, *out.mutable_ballot());
    out.set_chosen_index(m.chosen_index.value());
    for (const paxos::SlotEntry& item : m.entries) Put(item, *out.add_entries());
    for (const Slot slot : m.asked) out.add_asked(slot.value());
    out.set_inquiry(m.inquiry);
  }
  void operator()(const paxos::Accepted& m) const {
    auto& out = *wire.mutable_accepted();
    Put(m.ballot, *out.mutable_ballot());
    out.set_chosen_index(m.chosen_index.value());
    for (const Slot slot : m.slots) out.add_slots(slot.value());
    out.set_inquiry(m.inquiry);
  }
  void operator()(const paxos::Nack& m) const {
    auto& out = *wire.mutable_nack();
    Put(m.ballot, *out.mutable_ballot());
    Put(m.promised, *out.mutable_promised());
  }
  void operator()(const paxos::Heartbeat& m) const {
    auto& out = *wire.mutable_heartbeat();
    Put(m.ballot, *out.mutable_ballot());
    out.set_probe(m.probe);
    out.set_chosen_index(m.chosen_index.value());
  }
  void operator()(const paxos::HeartbeatAck& m) const {
    auto& out = *wire.mutable_heartbeat_ack();
    Put(m.ballot, *out.mutable_ballot());
    out.set_probe(m.probe);
    out.set_chosen_index(m.chosen_index.value());
    out.set_refuses_for_ns(static_cast<uint64_t>(m.refuses_for.count()));
  }
  void operator()(const paxos::Waiver& m) const { Put(m.ballot, *wire.mutable_waiver()->mutable_ballot()); }
  void operator()(const paxos::StandNow& m) const { Put(m.ballot, *wire.mutable_stand_now()->mutable_ballot()); }
  void operator()(const paxos::Fetch& m) const {
    auto& out = *wire.mutable_fetch();
    out.set_stream(m.stream);
    out.set_number(m.number);
    out.set_first_slot(m.position.slot.value());
    out.set_first_byte(m.position.byte);
    out.set_last_slot(m.last_slot.value());
    out.set_received(m.received);
    out.set_credit(m.credit);
  }
  void operator()(const paxos::FetchAnswer& m) const {
    auto& out = *wire.mutable_fetch_answer();
    out.set_stream(m.stream);
    out.set_fetch(m.fetch);
    out.set_sent(m.sent);
    out.set_chosen_index(m.chosen_index.value());
    out.set_trim_point(m.trim_point.value());
    for (const paxos::SlotEntry& item : m.entries) Put(item, *out.add_entries());
    if (m.part.has_value()) Put(*m.part, *out.mutable_part());
  }
  void operator()(const paxos::ReadIndexRequest& m) const { wire.mutable_read_index_request()->set_request(m.request); }
  void operator()(const paxos::ReadIndexAnswer& m) const {
    auto& out = *wire.mutable_read_index_answer();
    out.set_request(m.request);
    out.set_served(m.served);
    out.set_index(m.index.value());
    Put(m.ballot, *out.mutable_ballot());
  }
};

// ---- Proto to structs ----

// Reads the fields of one message and remembers the first that cannot be right; so a reader takes all
// fields and checks once.
class Decoder {
 public:
  const Status& status() const { return status_; }

  // A ballot, or none.
  Ballot TakeBallotOrNone(const v1::Ballot& wire, const char* field) {
    const Ballot ballot{.round = wire.round(), .node = NodeId(wire.node())};
    if (ballot.round > paxos::kRoundMax) Fail(field, "the round is too high");
    if ((ballot.round == 0) != (ballot.node == paxos::kNoNode)) Fail(field, "only half of it is 0");
    return ballot;
  }
  // The time that is left of a lease.
  Duration TakeLease(uint64_t nanoseconds, const char* field) {
    if (nanoseconds > kLeaseLeftMaxNs) {
      Fail(field, "it is too long");
      return Duration::zero();
    }
    return Duration(static_cast<int64_t>(nanoseconds));
  }
  Ballot TakeBallot(const v1::Ballot& wire, const char* field) {
    const Ballot ballot = TakeBallotOrNone(wire, field);
    if (ballot.IsNone()) Fail(field, "it is none");
    return ballot;
  }
  Slot TakeSlotOrNone(uint64_t slot, const char* field) {
    if (slot > kSlotMax) Fail(field, "the slot is too high");
    return Slot(slot);
  }
  Slot TakeSlot(uint64_t slot, const char* field) {
    if (slot == 0) Fail(field, "it is none");
    return TakeSlotOrNone(slot, field);
  }
  // Slots of a list ascend, which also keeps one from standing there twice.
  Slot TakeSlotAfter(Slot previous, uint64_t slot, const char* field) {
    const Slot next = TakeSlot(slot, field);
    if (next <= previous) Fail(field, "the slots do not ascend");
    return next;
  }

  template <typename Wire>
  paxos::LogPosition TakePosition(const Wire& wire) {
    return {.slot = TakeSlot(wire.first_slot(), "first_slot"),
            .byte = TakeBytes(wire.first_byte(), kEntryBytesMax, "first_byte")};
  }

  EntryPtr TakeEntry(v1::Entry& wire) {
    EntryPtr entry = TakeUncheckedEntry(wire);
    const Status status = paxos::CheckEntry(*entry);
    if (!status.ok()) Fail("entry", std::string(status.message()).c_str());
    return entry;
  }
  // The entry may hold only a part of its payload.
  EntryPtr TakeUncheckedEntry(v1::Entry& wire) {
    auto entry = std::make_shared<Entry>();
    entry->kind = static_cast<EntryKind>(wire.kind());
    entry->proposer = TakeBallot(wire.proposer(), "entry.proposer");
    if (wire.log_time() > paxos::kLogTimeMax.value()) Fail("entry.log_time", "it is too high");
    entry->log_time = paxos::LogTime(wire.log_time());
    entry->payload = std::move(*wire.mutable_payload());
    return entry;
  }
  // A number of bytes.
  uint64_t TakeBytes(uint64_t bytes, uint64_t bytes_max, const char* field) {
    if (bytes > bytes_max) Fail(field, "there are too many");
    return bytes;
  }
  template <typename Numbers>
  std::vector<Slot> TakeSlots(const Numbers& numbers, const char* field) {
    std::vector<Slot> slots;
    slots.reserve(numbers.size());
    for (const uint64_t slot : numbers) slots.push_back(TakeSlot(slot, field));
    return slots;
  }
  template <typename Numbers>
  std::vector<Slot> TakeAscendingSlots(const Numbers& numbers, const char* field) {
    std::vector<Slot> slots;
    slots.reserve(numbers.size());
    Slot last;
    for (const uint64_t slot : numbers) slots.push_back(last = TakeSlotAfter(last, slot, field));
    return slots;
  }
  template <typename Items>
  std::vector<paxos::SlotEntry> TakeEntries(Items& items) {
    std::vector<paxos::SlotEntry> entries;
    entries.reserve(items.size());
    Slot slot;
    for (v1::SlotEntry& item : items) {
      slot = TakeSlotAfter(slot, item.slot(), "entries");
      entries.push_back({.slot = slot, .entry = TakeEntry(*item.mutable_entry())});
    }
    return entries;
  }
  template <typename Items>
  std::vector<paxos::Vote> TakeVotes(Items& items) {
    std::vector<paxos::Vote> votes;
    votes.reserve(items.size());
    Slot slot;
    for (v1::Vote& item : items) {
      slot = TakeSlotAfter(slot, item.slot(), "votes");
      const Ballot ballot =
          item.chosen() ? TakeBallotOrNone(item.ballot(), "vote.ballot") : TakeBallot(item.ballot(), "vote.ballot");
      votes.push_back(
          {.slot = slot, .ballot = ballot, .chosen = item.chosen(), .entry = TakeEntry(*item.mutable_entry())});
    }
    return votes;
  }

  void Fail(const char* field, const char* what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(StrCat(field, ": ", what));
  }

 private:
  Status status_;
};

paxos::Introduction Take(v1::Introduction& wire, Decoder& decoder) {
  paxos::Introduction introduction{.known = {}, .has_begun = wire.has_begun()};
  if (wire.known_size() > kKnownMax) decoder.Fail("known", "it is too long");
  for (const auto& known : wire.known()) {
    if (known.node() == 0 || known.incarnation() == 0) decoder.Fail("known", "one is 0");
    const auto added = introduction.known.emplace(NodeId(known.node()), paxos::Incarnation(known.incarnation()));
    if (!added.second) decoder.Fail("known", "a node stands there twice");
  }
  return introduction;
}

paxos::Poll Take(v1::Poll& wire, Decoder& decoder) {
  return {.poll = wire.poll(),
          .ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
          .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index")};
}

paxos::PollAnswer Take(v1::PollAnswer& wire, Decoder& decoder) {
  return {.poll = wire.poll(),
          .granted = wire.granted(),
          .promised = decoder.TakeBallotOrNone(wire.promised(), "promised"),
          .trim_point = decoder.TakeSlotOrNone(wire.trim_point(), "trim_point"),
          .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index"),
          .lease_left = decoder.TakeLease(wire.lease_left_ns(), "lease_left_ns")};
}

paxos::EntryPart Take(v1::EntryPart& wire, Decoder& decoder) {
  paxos::EntryPart part{.slot = decoder.TakeSlot(wire.slot(), "part.slot"),
                        .piece = decoder.TakeUncheckedEntry(*wire.mutable_piece()),
                        .first_byte = wire.first_byte(),
                        .payload_bytes = decoder.TakeBytes(wire.payload_bytes(), kEntryBytesMax, "part.payload_bytes")};
  const uint64_t size = part.piece->payload.size();
  if (size == 0) decoder.Fail("part.piece", "it is empty");
  if (size > part.payload_bytes || part.first_byte > part.payload_bytes - size) {
    decoder.Fail("part.first_byte", "it ends beyond the payload");
  }
  return part;
}

paxos::VotePart Take(v1::VotePart& wire, Decoder& decoder) {
  return {.ballot = wire.chosen() ? decoder.TakeBallotOrNone(wire.ballot(), "part.ballot")
                                  : decoder.TakeBallot(wire.ballot(), "part.ballot"),
          .chosen = wire.chosen(),
          .entry = Take(*wire.mutable_entry(), decoder)};
}

paxos::Prepare Take(v1::Prepare& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
          .position = decoder.TakePosition(wire),
          .waived = decoder.TakeBallotOrNone(wire.waived(), "waived"),
          .page_bytes = wire.page_bytes()};
}

paxos::Promise Take(v1::Promise& wire, Decoder& decoder) {
  paxos::Promise promise{.ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
                         .position = decoder.TakePosition(wire),
                         // The maximum says that this is the last page.
                         .last_slot = wire.last_slot() == Slot::Max().value()
                                          ? Slot::Max()
                                          : decoder.TakeSlot(wire.last_slot(), "last_slot"),
                         .trim_point = decoder.TakeSlotOrNone(wire.trim_point(), "trim_point"),
                         .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index"),
                         .votes = decoder.TakeVotes(*wire.mutable_votes())};
  if (wire.has_part()) promise.part = Take(*wire.mutable_part(), decoder);
  if (promise.last_slot < promise.position.slot) decoder.Fail("last_slot", "it is below first_slot");
  if (!promise.votes.empty() &&
      (promise.votes.front().slot < promise.position.slot || promise.votes.back().slot > promise.last_slot)) {
    decoder.Fail("votes", "one is outside of the page");
  }
  return promise;
}

paxos::Accept Take(v1::Accept& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
          .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index"),
          .entries = decoder.TakeEntries(*wire.mutable_entries()),
          .asked = decoder.TakeAscendingSlots(wire.asked(), "asked"),
          .inquiry = wire.inquiry()};
}

paxos::Accepted Take(v1::Accepted& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
          .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index"),
          .slots = decoder.TakeSlots(wire.slots(), "slots"),
          .inquiry = wire.inquiry()};
}

paxos::Nack Take(v1::Nack& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
          .promised = decoder.TakeBallotOrNone(wire.promised(), "promised")};
}

paxos::Heartbeat Take(v1::Heartbeat& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
          .probe = wire.probe(),
          .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index")};
}

paxos::HeartbeatAck Take(v1::HeartbeatAck& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot"),
          .probe = wire.probe(),
          .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index"),
          .refuses_for = decoder.TakeLease(wire.refuses_for_ns(), "refuses_for_ns")};
}

paxos::Waiver Take(v1::Waiver& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot")};
}

paxos::StandNow Take(v1::StandNow& wire, Decoder& decoder) {
  return {.ballot = decoder.TakeBallot(wire.ballot(), "ballot")};
}

paxos::Fetch Take(v1::Fetch& wire, Decoder& decoder) {
  const paxos::Fetch fetch{.stream = wire.stream(),
                           .number = wire.number(),
                           .position = decoder.TakePosition(wire),
                           .last_slot = decoder.TakeSlot(wire.last_slot(), "last_slot"),
                           .received = decoder.TakeBytes(wire.received(), kStreamBytesMax, "received"),
                           .credit = decoder.TakeBytes(wire.credit(), kStreamBytesMax, "credit")};
  if (fetch.last_slot < fetch.position.slot) decoder.Fail("last_slot", "it is below first_slot");
  if (fetch.credit < fetch.received) decoder.Fail("credit", "it is below what was received");
  return fetch;
}

paxos::FetchAnswer Take(v1::FetchAnswer& wire, Decoder& decoder) {
  paxos::FetchAnswer answer{.stream = wire.stream(),
                            .fetch = wire.fetch(),
                            .sent = decoder.TakeBytes(wire.sent(), kStreamBytesMax, "sent"),
                            .chosen_index = decoder.TakeSlotOrNone(wire.chosen_index(), "chosen_index"),
                            .trim_point = decoder.TakeSlotOrNone(wire.trim_point(), "trim_point"),
                            .entries = decoder.TakeEntries(*wire.mutable_entries()),
                            .part = {}};
  if (wire.has_part()) answer.part = Take(*wire.mutable_part(), decoder);
  if (!answer.entries.empty() && answer.part.has_value()) {
    decoder.Fail("part", "there are entries beside it");
  }
  return answer;
}

paxos::ReadIndexRequest Take(v1::ReadIndexRequest& wire, Decoder&) { return {.request = wire.request()}; }

paxos::ReadIndexAnswer Take(v1::ReadIndexAnswer& wire, Decoder& decoder) {
  return {.request = wire.request(),
          .served = wire.served(),
          .index = decoder.TakeSlotOrNone(wire.index(), "index"),
          .ballot = wire.served() ? decoder.TakeBallot(wire.ballot(), "ballot")
                                  : decoder.TakeBallotOrNone(wire.ballot(), "ballot")};
}

Message TakeMessage(v1::PeerMessage& wire, Decoder& decoder) {
  switch (wire.message_case()) {
    case v1::PeerMessage::kIntroduction:
      return Take(*wire.mutable_introduction(), decoder);
    case v1::PeerMessage::kPoll:
      return Take(*wire.mutable_poll(), decoder);
    case v1::PeerMessage::kPollAnswer:
      return Take(*wire.mutable_poll_answer(), decoder);
    case v1::PeerMessage::kPrepare:
      return Take(*wire.mutable_prepare(), decoder);
    case v1::PeerMessage::kPromise:
      return Take(*wire.mutable_promise(), decoder);
    case v1::PeerMessage::kAccept:
      return Take(*wire.mutable_accept(), decoder);
    case v1::PeerMessage::kAccepted:
      return Take(*wire.mutable_accepted(), decoder);
    case v1::PeerMessage::kNack:
      return Take(*wire.mutable_nack(), decoder);
    case v1::PeerMessage::kHeartbeat:
      return Take(*wire.mutable_heartbeat(), decoder);
    case v1::PeerMessage::kHeartbeatAck:
      return Take(*wire.mutable_heartbeat_ack(), decoder);
    case v1::PeerMessage::kWaiver:
      return Take(*wire.mutable_waiver(), decoder);
    case v1::PeerMessage::kStandNow:
      return Take(*wire.mutable_stand_now(), decoder);
    case v1::PeerMessage::kFetch:
      return Take(*wire.mutable_fetch(), decoder);
    case v1::PeerMessage::kFetchAnswer:
      return Take(*wire.mutable_fetch_answer(), decoder);
    case v1::PeerMessage::kReadIndexRequest:
      return Take(*wire.mutable_read_index_request(), decoder);
    case v1::PeerMessage::kReadIndexAnswer:
      return Take(*wire.mutable_read_index_answer(), decoder);
    case v1::PeerMessage::MESSAGE_NOT_SET:
      break;
  }
  decoder.Fail("message", "there is none that this version knows");
  return paxos::Waiver{};
}

}  // namespace

v1::PeerMessage ToWire(const paxos::Envelope& envelope) {
  v1::PeerMessage wire;
  wire.set_from_life(envelope.from_life.value());
  wire.set_to_life(envelope.to_life.value());
  std::visit(Encoder{wire}, envelope.message);
  return wire;
}

StatusOr<paxos::Envelope> FromWire(v1::PeerMessage& wire) {
  Decoder decoder;
  if (wire.group() != 0) decoder.Fail("group", "only group 0 exists");
  if (wire.from_life() == 0) decoder.Fail("from_life", "it is 0");
  paxos::Envelope envelope{.from = {},
                           .to = {},
                           .from_incarnation = {},
                           .from_life = paxos::Life(wire.from_life()),
                           .to_life = paxos::Life(wire.to_life()),
                           .message = TakeMessage(wire, decoder)};
  RETURN_IF_ERROR(decoder.status());
  return envelope;
}

}  // namespace decree::rpc
