#pragma once
// What nodes say to each other: one struct for each message, and `Message`, the variant over them.
//
// proto/decree/v1/peer.proto shows who says what when. Any message may be lost, repeated, delayed
// and reordered without limit (rule 5).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <variant>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/protocol/entry.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

struct SlotEntry {
  Slot slot;
  EntryPtr entry;
};

// A position in the log: before this byte of the slot's payload.
struct LogPosition {
  Slot slot;
  uint64_t byte = 0;

  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

// Part of a payload: an entry above a piece's size travels in several.
struct EntryPart {
  Slot slot;
  EntryPtr piece;  // the entry, with these bytes of its payload only
  uint64_t first_byte = 0;
  uint64_t payload_bytes = 0;  // of the whole
};

// What an acceptor holds for one slot.
struct Vote {
  Slot slot;
  Ballot ballot;        // under which it was accepted; none if it was only ever learnt as chosen
  bool chosen = false;  // the value is known to be chosen
  EntryPtr entry;
};

// ---- First meeting (rule 10) ----

// "This is who I am, and this is who the others are, as each of them has told me." Sent until the
// cluster has begun, and by those that have begun in answer.
struct Introduction {
  Roster known;  // the sender included; when it names every member, the sender holds it durably
  bool has_begun = false;
};

// ---- Election (rule 8) ----

// "Would you promise this ballot?" Changes no state at the receiver.
struct Poll {
  uint64_t poll = 0;  // numbers the attempt; echoed
  Ballot ballot;
  Slot chosen_index;
};
struct PollAnswer {
  uint64_t poll = 0;
  bool granted = false;
  Ballot promised;
  Slot trim_point;  // the responder can supply no slot up to here; kNoSlot: it has them all
  Slot chosen_index;
  Duration lease_left = Duration::zero();  // how long the responder is still bound by a grant
};

// ---- Phase 1 ----

struct Prepare {
  Ballot ballot;
  LogPosition position;     // report votes from here on
  Ballot waived;            // whose leader has handed over to the sender, and holds no lease; none: nobody
  uint64_t page_bytes = 0;  // about how much the page may weigh
};
// Part of a vote, with the first part of its entry or one that follows on.
struct VotePart {
  Ballot ballot;
  bool chosen = false;
  EntryPart entry;
};
// One page of a promise: whole votes, or a part of one whose entry is larger than a page. The proposer asks for
// the next with a Prepare from where this one ends.
struct Promise {
  Ballot ballot;
  LogPosition position;  // of the Prepare that this answers
  Slot last_slot;        // the page reaches to here, with a part into it; Slot::Max() on the last page
  Slot trim_point;       // as in PollAnswer
  // Slots up to here are chosen, and no votes for them are reported: fetch them (rule 2). A later page
  // may name a higher one; the highest counts.
  Slot chosen_index;
  std::vector<Vote> votes;  // above `chosen_index`
  std::optional<VotePart> part = {};
};
// The position where the next page begins; behind the last page it is at Slot::Max().
LogPosition EndOf(const Promise& page);

// ---- Phase 2 ----

struct Accept {
  Ballot ballot;
  Slot chosen_index;  // of the sender, see Heartbeat
  std::vector<SlotEntry> entries;
  // Sent before, and without an answer: have you accepted them?
  std::vector<Slot> asked = {};
  uint64_t inquiry = 0;  // numbers what asks; 0: nothing is asked, and without a vote there is no answer
};
// An Accept for each entry, which together say the same: entries are accepted each for itself. What is asked goes
// with the last, for it is whether they all have come. Requires an entry.
std::vector<Accept> SplitByEntry(Accept accept);
struct Accepted {
  Ballot ballot;
  Slot chosen_index;        // of the acceptor
  std::vector<Slot> slots;  // of the entries and of `asked`
  uint64_t inquiry = 0;     // that this answers
};
// Refuses a Prepare, an Accept or a Heartbeat.
struct Nack {
  Ballot ballot;    // that was refused
  Ballot promised;  // that was promised instead; not above `ballot` when a lease forbids the promise
};

// ---- Leadership ----

// Also the lease probe. `chosen_index` holds for values accepted under `ballot` (rule 4).
struct Heartbeat {
  Ballot ballot;
  uint64_t probe = 0;
  Slot chosen_index;
};
struct HeartbeatAck {
  Ballot ballot;
  uint64_t probe = 0;
  Slot chosen_index;  // of the acceptor
  // How long the acceptor, lately started, will yet promise nothing to anybody.
  Duration refuses_for = Duration::zero();
};
// The leader of `ballot` gives up the leases that were granted to it; it will hold none under this
// ballot again.
struct Waiver {
  Ballot ballot;
};
// A leader that has stepped down asks its heir to stand for election now, without a poll.
struct StandNow {
  Ballot ballot;
};

// ---- Catch-up ----

// "Send me what is chosen, from where I stand to `last_slot`, as far as my credit goes." Answers of one
// stream follow each other without gaps; credit is counted from the stream's beginning, so that a Fetch
// may be lost, repeated or overtaken. (As QUIC does it: RFC 9000, section 4.1.)
struct Fetch {
  uint64_t stream = 0;   // a higher one of the same life begins anew, and ends the others
  uint64_t number = 0;   // of this Fetch; ascends
  LogPosition position;  // what comes next
  Slot last_slot;
  uint64_t received = 0;  // bytes of this stream up to `position`
  uint64_t credit = 0;    // no answer may begin at or above this many bytes of the stream
};
// Entries or a part, never both. Without either the sender cannot serve: what was asked for lies above its
// chosen index or at or below its trim point.
struct FetchAnswer {
  uint64_t stream = 0;
  uint64_t fetch = 0;  // the newest Fetch of the stream that had come when this was sent
  uint64_t sent = 0;   // bytes of the stream before this answer
  Slot chosen_index;
  Slot trim_point;                 // as in PollAnswer
  std::vector<SlotEntry> entries;  // chosen values, slot after slot
  std::optional<EntryPart> part;

  bool IsEmpty() const { return entries.empty() && !part.has_value(); }
};
// What an answer counts for in its stream.
uint64_t StreamBytes(const FetchAnswer& answer);

// ---- Reads at a follower ----

struct ReadIndexRequest {
  uint64_t request = 0;
};
struct ReadIndexAnswer {
  uint64_t request = 0;
  bool served = false;  // false: not the leader
  Slot index;
  Ballot ballot;  // of the leader; `index` is a chosen index as in Heartbeat
};

using Message = std::variant<Introduction, Poll, PollAnswer, Prepare, Promise, Accept, Accepted, Nack, Heartbeat,
                             HeartbeatAck, Waiver, StandNow, Fetch, FetchAnswer, ReadIndexRequest, ReadIndexAnswer>;

struct Envelope {
  NodeId from;
  NodeId to;
  Incarnation from_incarnation;
  Life from_life;
  Life to_life;  // of the process that this answers; 0: any
  Message message;
};

// "Accept", "Promise", ...: as traces and scenarios name it.
const char* MessageName(const Message& message);
// What the message weighs in a queue, in bytes, near its size on the wire.
size_t MessageBytes(const Message& message);
// True for what carries entries; it travels apart from the rest, so as not to delay a lease.
bool IsBulk(const Message& message);

// The name and the numbers, for traces; never a payload.
std::ostream& operator<<(std::ostream& out, const Message& message);
std::ostream& operator<<(std::ostream& out, const Envelope& envelope);

}  // namespace decree::paxos
