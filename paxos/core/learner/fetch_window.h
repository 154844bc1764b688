#pragma once
// How much of a catch-up may be on its way at once, and how long an answer may take.
//
// The window follows the round trip: as long as answers come about as fast as they ever did, the link has
// room and the window grows; when they queue for longer than `fetch_queue_target`, it shrinks. So the link
// is full, and what shares it, Accepts and leases above all, waits no longer than that target, or one
// answer if the link is slower still. (Congestion control by delay: Brakmo and Peterson, "TCP Vegas", 1995;
// LEDBAT, RFC 6817.)
//
// What the round trip is without a queue changes when routes do, so the window runs dry now and then to
// measure it afresh. (As BBR does: Cardwell et al., "BBR", 2016.)

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "paxos/base/time.h"
#include "paxos/core/protocol/options.h"

namespace decree::paxos {

class FetchWindow {
 public:
  explicit FetchWindow(const Options& options);

  // Another source: nothing is known of the way to it.
  void Reset();
  // The Fetch of this number leaves.
  void OnFetch(uint64_t number, Time now);
  // An answer is here that was sent when this Fetch had come, and no later one.
  void OnAnswer(uint64_t number, Time now);
  // What was asked for did not come.
  void OnTimeout();

  // How many bytes may be on their way.
  size_t bytes() const { return is_measuring_ ? options_.fetch_piece_bytes : bytes_; }
  // After how long without an answer it is to be asked for again.
  Duration patience() const;

 private:
  struct Sent {
    uint64_t number = 0;
    Time at;
  };

  void Adapt(Duration round_trip);

  const Options options_;
  size_t bytes_;
  std::deque<Sent> sent_;             // not answered yet
  uint64_t last_number_ = 0;          // of the last Fetch
  uint64_t changed_at_ = 0;           // the last Fetch when the window changed; answers to it say nothing yet
  std::optional<Duration> shortest_;  // round trip
  Duration last_round_trip_ = Duration::zero();
  Time measured_;
  bool is_measuring_ = false;  // lets the window run dry, to see the shortest round trip again
};

}  // namespace decree::paxos
