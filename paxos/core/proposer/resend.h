#pragma once
// What one voter is asked, and sent again, of the slots in flight that it has not accepted.
//
// An Accept without an answer may be lost, or still be on its way: on a slow link a large one takes longer than
// any timeout that suits a fast one. A copy would queue behind it, and whatever follows behind the copy. So the
// voter is asked first, which weighs nothing, and is sent a value again only when it says that it lacks it, in
// answer to a question that left after the last copy. Questions travel behind what was sent before them, so no
// value is ever on its way twice where messages keep their order.
//
//   asking ──lacks some──► copying, a piece of the oldest ──has accepted some──► copying, twice as much
//     ▲ when it is time again                                └─accepted none──► asking
//
// (Slow start: Jacobson, "Congestion Avoidance and Control", 1988.)

#include <cstddef>
#include <cstdint>
#include <optional>

#include "paxos/base/time.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

class Resend {
 public:
  explicit Resend(const Options& options) : options_(options) {}

  // Whether this slot belongs to what is being asked about. `oldest` stands for the first slot that the voter
  // has not accepted, here and below: once it is none of these, all of them are done with.
  bool IsAbout(Slot oldest) const { return oldest <= last_; }
  Slot last() const { return last_; }
  // When to ask again.
  Time again_at() const { return again_at_; }
  // How many bytes to send again now; 0: none.
  size_t copy_bytes() const { return is_copy_due_ ? copy_bytes_ : 0; }

  // A question leaves; if the last ones are done with, about the slots up to `last`.
  void OnAsked(Slot oldest, Slot last, uint64_t inquiry, Time now);
  // A copy that begins with `oldest` leaves, and asks as well.
  void OnCopied(Slot oldest, uint64_t inquiry, Time now);
  // The voter has answered, and its votes are counted. True if a copy is due.
  bool OnAnswer(Slot oldest, uint64_t inquiry);
  // The voter has caught up: what it dropped before, it would take now.
  void AskSoon();

 private:
  const Options options_;
  Slot last_;
  Time again_at_ = Time::min();
  Duration wait_ = Duration::zero();  // twice as long with each question in vain
  uint64_t first_inquiry_ = 0;        // after the last copy: answers to older ones say nothing about it
  uint64_t last_inquiry_ = 0;
  std::optional<Slot> copied_;  // where the last copy began, until it is known what became of it
  bool is_copy_due_ = false;
  size_t copy_bytes_ = 0;
};

}  // namespace decree::paxos
