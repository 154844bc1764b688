#pragma once
// Linearizable reads that need messages before they may be served.
//
// At a leader without a lease, a read waits until a lease quorum has acknowledged a probe that was
// sent after the read arrived: no other leader can have been at work before it. At a follower, a
// read asks the leader for an index. Both share one round among all the reads that were there before
// it began, and never with later ones.

#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "paxos/base/time.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/protocol/output.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

// A follower's ReadIndexRequest, to be answered.
struct RemoteRead {
  NodeId from;
  Life life;
  uint64_t request = 0;
};

using Reader = std::variant<ReadId, RemoteRead>;

// At the leader.
class UnconfirmedReads {
 public:
  struct Confirmed {
    Reader reader;
    Slot index;
  };

  // The read may be served at `index` once `probe` is confirmed.
  void Add(Reader reader, Slot index, uint64_t probe);
  // Takes out what is confirmed by this probe.
  std::vector<Confirmed> Take(uint64_t confirmed_probe);
  std::vector<Reader> TakeAll();

  // The highest probe that a read waits for; 0 if none waits.
  uint64_t last_probe() const { return waiting_.empty() ? 0 : waiting_.back().probe; }
  size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    Reader reader;
    Slot index;
    uint64_t probe = 0;
  };

  std::deque<Waiting> waiting_;  // in order of arrival, so of probes
};

// At a follower.
class AskedReads {
 public:
  void Add(ReadId id) { next_.push_back(id); }

  // Begins a round for all that wait, if none is under way; the request to send to the leader.
  std::optional<ReadIndexRequest> BeginRound(Time now);
  // Ends the round that this answers; the reads that took part. Empty if it answers another.
  std::vector<ReadId> EndRound(const ReadIndexAnswer& answer);
  // Gives up all reads that wait, asked or not.
  std::vector<ReadId> TakeAll();

  // When the round under way began; none if there is none.
  std::optional<Time> asked_at() const { return asked_at_; }
  size_t size() const { return next_.size() + round_.size(); }

 private:
  uint64_t request_ = 0;  // of the round under way, or of the last
  std::optional<Time> asked_at_;
  std::vector<ReadId> round_;
  std::vector<ReadId> next_;
};

}  // namespace decree::paxos
