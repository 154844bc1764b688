#include "paxos/core/learner/supply.h"

#include <algorithm>
#include <utility>

#include "paxos/base/rare_case.h"
#include "paxos/core/protocol/entry_assembly.h"

namespace decree::paxos {

void Supply::OnFetch(const Envelope& envelope, const Fetch& fetch, Slot chosen_index, Outbox& outbox,
                     std::vector<LogRead>& reads) {
  Stream& stream = streams_[envelope.from];
  if (stream.life == envelope.from_life && fetch.stream < stream.stream) return;
  if (stream.life != envelope.from_life || fetch.stream != stream.stream) {
    stream = {.life = envelope.from_life, .stream = fetch.stream, .next = fetch.position, .sent = fetch.received};
  }
  stream.fetch = std::max(stream.fetch, fetch.number);
  stream.last_slot = std::max(stream.last_slot, fetch.last_slot);
  // This node's queues hold no more than a window for a peer, whatever it asks for.
  const uint64_t allowed = std::min(fetch.credit, fetch.received + options_.fetch_window_bytes_max);
  stream.credit = std::max(stream.credit, allowed);
  if (stream.next.slot > chosen_index) {
    if (fetch.received < stream.sent) return;  // All that there is has been sent.
    outbox.Send(envelope.from, stream.life,
                FetchAnswer{.stream = stream.stream,
                            .fetch = stream.fetch,
                            .sent = stream.sent,
                            .chosen_index = chosen_index,
                            .trim_point = kNoSlot,  // No log is trimmed yet.
                            .entries = {},
                            .part = {}});
    return;
  }
  Send(envelope.from, chosen_index, outbox, reads);
}

void Supply::OnLogRead(const LogRead& read, std::vector<SlotEntry> entries, Slot chosen_index, Outbox& outbox,
                       std::vector<LogRead>& reads) {
  const auto found = streams_.find(read.to);
  if (found == streams_.end() || found->second.stream != read.stream) return;
  Stream& stream = found->second;
  // A log that lacks the slot has nothing for this peer, which will ask another.
  if (!stream.is_reading || entries.empty() || entries.front().slot != read.first_slot) return;
  stream.is_reading = false;
  stream.ahead.assign(entries.begin(), entries.end());
  Send(read.to, chosen_index, outbox, reads);
}

void Supply::Send(NodeId to, Slot chosen_index, Outbox& outbox, std::vector<LogRead>& reads) {
  Stream& stream = streams_[to];
  const Slot last_slot = std::min(stream.last_slot, chosen_index);
  while (stream.sent < stream.credit && stream.next.slot <= last_slot) {
    FetchAnswer answer = NextAnswer(stream, last_slot);
    if (answer.IsEmpty()) {
      if (stream.is_reading || stream.next.slot > std::min(stream.last_slot, acceptor_.dropped_index())) {
        return;
      }
      RARE_CASE("a peer was answered from the log");
      stream.is_reading = true;
      reads.push_back({.to = to,
                       .stream = stream.stream,
                       .first_slot = stream.next.slot,
                       .last_slot = std::min(last_slot, acceptor_.dropped_index()),
                       .bytes_max = options_.page_bytes_max});
      return;
    }
    answer.chosen_index = chosen_index;
    answer.sent = stream.sent;
    stream.sent += StreamBytes(answer);
    outbox.Send(to, stream.life, std::move(answer));
  }
}

FetchAnswer Supply::NextAnswer(Stream& stream, Slot last_slot) const {
  FetchAnswer answer{.stream = stream.stream, .fetch = stream.fetch, .entries = {}, .part = {}};
  size_t bytes = 0;
  while (stream.next.slot <= last_slot && bytes < options_.fetch_piece_bytes) {
    const EntryPtr entry = Find(stream, stream.next.slot);
    if (entry == nullptr) break;
    const size_t size = entry->payload.size();
    if (size <= options_.fetch_piece_bytes && stream.next.byte == 0) {
      bytes += EntryBytes(*entry);
      answer.entries.push_back({.slot = stream.next.slot, .entry = entry});
      ++stream.next.slot;
      continue;
    }
    // An entry larger than a piece goes alone.
    if (!answer.entries.empty()) break;
    if (stream.next.byte >= size) {
      stream.last_slot = kNoSlot;  // The peer stands beyond the entry's end: it gets nothing.
      break;
    }
    answer.part = PartOf(stream.next.slot, *entry, stream.next.byte, options_.fetch_piece_bytes);
    const uint64_t end = stream.next.byte + answer.part->piece->payload.size();
    stream.next = end < size ? LogPosition{.slot = stream.next.slot, .byte = end}
                             : LogPosition{.slot = stream.next.slot.Next(), .byte = 0};
    break;
  }
  return answer;
}

EntryPtr Supply::Find(Stream& stream, Slot slot) const {
  while (!stream.ahead.empty() && stream.ahead.front().slot < slot) stream.ahead.pop_front();
  if (!stream.ahead.empty() && stream.ahead.front().slot == slot) return stream.ahead.front().entry;
  const SlotVote* const vote = acceptor_.VoteAt(slot);
  return vote == nullptr ? nullptr : vote->entry;
}

}  // namespace decree::paxos
