#pragma once
// Holds back every message that rests on a record until that record is durable.
//
// A Promise, an Accepted or a Prepare that left too early would be forgotten by a crash, and the
// node could then contradict it. So whoever sends such a message names the ticket it rests on, and
// safety never depends on the caller's order of calls. Messages to this node itself take the same
// way: they come back through `TakeLoopback` when they would have left.

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/record.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Outbox {
 public:
  explicit Outbox(const Identity& self) : self_(self) {}

  // Adds a record to the batch that is being gathered; returns its ticket.
  Ticket Persist(Record record);
  // Covers every record given out so far; zero if there was none.
  Ticket last_ticket() const;
  bool IsDurable(Ticket ticket) const { return ticket <= durable_; }
  bool IsGathering() const { return !gathering_.empty(); }

  // `to_life` is that of the request which the message answers, or 0.
  void Send(NodeId to, Life to_life, Message message);
  void SendAfter(Ticket ticket, NodeId to, Life to_life, Message message);

  // Releases what rested on tickets up to this one.
  void OnDurable(Ticket ticket);
  // When the oldest batch that is not durable yet was handed out; nullopt if all are.
  std::optional<Time> OldestPending() const;

  // A message to this node itself whose time has come.
  std::optional<Envelope> TakeLoopback();
  bool HasLoopback() const { return !loopback_.empty(); }
  // Hands the gathered batch and the messages that may leave to `out`.
  void Drain(Time now, Output& out);

 private:
  struct PendingBatch {
    Ticket ticket;
    Time since;
  };

  Envelope Address(NodeId to, Life to_life, Message message) const;
  void Release(Envelope envelope);

  const Identity self_;
  std::vector<Record> gathering_;  // belongs to ticket `handed_out_` + 1
  Ticket handed_out_;
  Ticket durable_;  // <= handed_out_
  std::deque<PendingBatch> pending_;
  std::multimap<Ticket, Envelope> held_;
  std::deque<Envelope> loopback_;
  std::vector<Envelope> released_;
};

}  // namespace decree::paxos
