#pragma once
// Short ways to build the core's structs in tests.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "paxos/core/acceptor/acceptor.h"
#include "paxos/core/protocol/entry.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

inline Ballot B(uint64_t round, uint32_t node) { return {.round = round, .node = NodeId(node)}; }

inline constexpr Time kStart{Seconds(1000)};

// Values are told apart by their first proposer, as in real life; the payload is for the reader.
inline EntryPtr Value(std::string text, Ballot proposer) {
  std::string payload;
  AppendCommand(payload, text);
  return std::make_shared<const Entry>(
      Entry{.kind = EntryKind::kCommands, .proposer = proposer, .log_time = {}, .payload = payload});
}

inline Configuration Voters(uint32_t count) {
  Configuration configuration;
  for (uint32_t i = 1; i <= count; ++i) {
    configuration.members.push_back({.id = NodeId(i),
                                     .incarnation = Incarnation(100 + i),
                                     .voter = true,
                                     .peer_address = "n" + std::to_string(i) + ":1",
                                     .client_address = "n" + std::to_string(i) + ":2"});
  }
  configuration.q1 = configuration.q2 = MajorityOf(count);
  configuration.lease = Milliseconds(400);
  return configuration;
}

inline Identity Self(uint32_t node) {
  return {.node = NodeId(node), .incarnation = Incarnation(100 + node), .life = Life(node)};
}

inline Envelope From(uint32_t from, uint32_t to, Message message) {
  return {.from = NodeId(from),
          .to = NodeId(to),
          .from_incarnation = Incarnation(100 + from),
          .from_life = Life(from),
          .to_life = Life(),
          .message = std::move(message)};
}

// What a voter answers that has voted for nothing and says yes to whatever a candidate or leader sends; nothing to the
// rest.
inline std::optional<Message> YesTo(const Message& sent) {
  if (const auto* poll = std::get_if<Poll>(&sent))
    return PollAnswer{.poll = poll->poll, .granted = true, .promised = {}};
  if (const auto* prepare = std::get_if<Prepare>(&sent)) {
    return Promise{.ballot = prepare->ballot, .position = prepare->position, .last_slot = Slot::Max()};
  }
  if (const auto* heartbeat = std::get_if<Heartbeat>(&sent)) {
    return HeartbeatAck{.ballot = heartbeat->ballot, .probe = heartbeat->probe};
  }
  return std::nullopt;
}

// All messages of one kind that `out` holds.
template <typename Kind>
std::vector<Kind> Sent(const Output& out) {
  std::vector<Kind> found;
  for (const Envelope& envelope : out.messages) {
    if (const Kind* const message = std::get_if<Kind>(&envelope.message)) found.push_back(*message);
  }
  return found;
}

}  // namespace decree::paxos
