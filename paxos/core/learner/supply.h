#pragma once
// The other side of a catch-up: sends each peer that asks what it lacks, as far as its credit goes.
//
// What is still in memory is sent from there; older entries are asked of the log, a page ahead, so that no
// record is read twice. What is kept for a peer is its position and that page.
//
// Passive and single-threaded; `Replica` drives it.

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "paxos/core/acceptor/acceptor.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/outbox.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Supply {
 public:
  // Keeps a reference to the acceptor, which must outlive it.
  Supply(const Options& options, const Acceptor& acceptor) : options_(options), acceptor_(acceptor) {}

  // `chosen_index` is this node's. Both send what they can, and add to `reads` what is to be read before
  // more can be sent.
  void OnFetch(const Envelope& envelope, const Fetch& fetch, Slot chosen_index, Outbox& outbox,
               std::vector<LogRead>& reads);
  // What the log held, slot after slot; nothing if it lacks the first.
  void OnLogRead(const LogRead& read, std::vector<SlotEntry> entries, Slot chosen_index, Outbox& outbox,
                 std::vector<LogRead>& reads);

 private:
  struct Stream {
    Life life;
    uint64_t stream = 0;
    uint64_t fetch = 0;  // the newest that has come
    LogPosition next;
    Slot last_slot;
    uint64_t sent = 0;
    uint64_t credit = 0;
    bool is_reading = false;
    std::deque<SlotEntry> ahead;  // read from the log, and not sent yet
  };

  void Send(NodeId to, Slot chosen_index, Outbox& outbox, std::vector<LogRead>& reads);
  // What fits into one piece; empty if the next entry is not at hand.
  FetchAnswer NextAnswer(Stream& stream, Slot last_slot) const;
  // Null if the entry is to be read from the log.
  EntryPtr Find(Stream& stream, Slot slot) const;

  const Options options_;
  const Acceptor& acceptor_;
  std::map<NodeId, Stream> streams_;
};

}  // namespace decree::paxos
