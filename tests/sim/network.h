#pragma once
// The network between the nodes: loses, repeats, delays and reorders messages, and can be cut, in
// each direction by itself.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "paxos/base/random.h"
#include "paxos/core/protocol/message.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/trace.h"

namespace decree::sim {

struct NetworkFaults {
  double loss = 0;
  double duplication = 0;
  Duration delay_min = Milliseconds(0);
  Duration delay_max = Milliseconds(1);
  // Some messages take very long: up to `tail_max`, evenly in the exponent.
  double tail = 0;
  Duration tail_max = Seconds(1);
  // Messages of some kinds, by their place in `Message`, take up to so much longer between some pairs of nodes,
  // in one direction or both; which, changes from time to time.
  uint32_t slow_kinds = 0;  // a bit for each
  double slow_pairs = 0;    // their share
  Duration slow_max = Seconds(1);
};

// What each link, from one node to another, carries at most. What is more waits in its queue, first come,
// first served; what finds that full is lost.
struct LinkLimits {
  uint64_t bytes_per_second = 0;  // 0: no limit
  uint64_t queue_bytes_max = 0;
};

class Network {
 public:
  using Deliver = std::function<void(const paxos::Envelope&)>;

  Network(EventQueue& queue, Trace& trace, Random random, Deliver deliver)
      : queue_(queue), trace_(trace), random_(random), deliver_(std::move(deliver)) {}

  // Holds from now on, whatever faults come and go.
  void SetLinks(const LinkLimits& links) { links_ = links; }
  void SetFaults(const NetworkFaults& faults) { faults_ = faults; }

  // The message leaves `after` from now.
  void Send(const paxos::Envelope& envelope, Duration after);
  // How long something takes that travels under the same conditions.
  Duration DrawDelay();
  // Whether it is lost.
  bool DrawLoss() { return random_.Chance(faults_.loss); }

  void Cut(paxos::NodeId from, paxos::NodeId to) { cut_.insert({from, to}); }
  void Mend(paxos::NodeId from, paxos::NodeId to) { cut_.erase({from, to}); }
  void Heal() { cut_.clear(); }
  // From now on, for so long, what leaders send does not arrive at this node; but for the Accepts of this one,
  // which arrive when it ends.
  void HoldUpLeaders(paxos::NodeId node, paxos::NodeId leader, Duration duration) {
    held_up_ = {.node = node, .leader = leader, .until = queue_.now() + duration};
  }

 private:
  void SendOne(const paxos::Envelope& envelope, Duration after);
  Duration DrawDelayOf(const paxos::Envelope& envelope);
  // The link carries the message, after those before it.
  void PassLink(const paxos::Envelope& envelope);
  void Arrive(const paxos::Envelope& envelope);
  // True, and seen to, if it is not to arrive now.
  bool HoldUp(const paxos::Envelope& envelope);

  struct HeldUp {
    paxos::NodeId node;
    paxos::NodeId leader;
    Instant until;
  };

  EventQueue& queue_;
  Trace& trace_;
  Random random_;
  const Deliver deliver_;
  LinkLimits links_;
  std::map<std::pair<paxos::NodeId, paxos::NodeId>, Instant> busy_until_;  // links with a limit
  NetworkFaults faults_;
  std::map<std::pair<paxos::NodeId, paxos::NodeId>, bool> slow_;  // drawn as they are met
  Instant slow_until_;
  std::set<std::pair<paxos::NodeId, paxos::NodeId>> cut_;
  HeldUp held_up_;
};

}  // namespace decree::sim
