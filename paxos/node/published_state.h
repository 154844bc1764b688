#pragma once
// What a leader's other threads need to know to serve a linearizable read without asking it: ballot,
// end of the lease and read index, as one value.
//
// Published first when all slots that an earlier leader may have had chosen are applied, and with a
// new index before any answer that depends on that index leaves; withdrawn before a waiver leaves.
// (Rule 7; the index and the lease it goes with must never be mixed with another's.)
//
// One thread publishes, any may look; neither blocks.

#include <atomic>
#include <cstdint>

#include "paxos/base/time.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

struct LeaseView {
  Ballot ballot;             // under which the lease is held
  Time until = Time::min();  // when it ends
  Slot index;                // a read is current once this slot is applied

  // Whether a read that has arrived may be served now, from a state that holds all slots up to `applied`.
  bool Covers(Time now, Slot applied) const { return now < until && applied >= index; }

  friend bool operator==(const LeaseView&, const LeaseView&) = default;
};

class PublishedState {
 public:
  void Publish(const LeaseView& view);
  LeaseView Look() const;

 private:
  // A sequence lock: odd while the words are being written. (Boehm, "Can Seqlocks Get Along With
  // Programming Language Memory Models?", 2012.)
  std::atomic<uint64_t> sequence_{0};
  std::atomic<uint64_t> round_{0};
  std::atomic<uint32_t> node_{0};
  std::atomic<int64_t> until_{Time::min().time_since_epoch().count()};
  std::atomic<uint64_t> index_{0};
};

}  // namespace decree::paxos
