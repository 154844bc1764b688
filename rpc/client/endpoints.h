#pragma once
// Chooses the node to ask: remembers which one leads, which have broken connections, and which were of no use.
//
//   writes, linearizable reads   the leader's endpoint, if it is known and works
//   otherwise, and stale reads   the endpoints in turn, leaving out the broken and the useless for a while
//
// While the leader is not known, a node is asked to tell who leads instead of forwarding. That costs one round trip
// once, and spares one for every request from then on. If the leader cannot be
// reached from here, nodes are left to forward.
//
// Passive, for one thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/base/time.h"

namespace decree::rpc {

class Endpoints {
 public:
  struct Choice {
    size_t endpoint = 0;
    // The node is to name the leader instead of forwarding the request.
    bool no_forwarding = false;
  };

  // `addresses` is not empty. `first` is the endpoint whose turn is first. An endpoint that broke, or was of
  // no use, is left out for `broken_time`, then tried again.
  Endpoints(std::vector<std::string> addresses, size_t first, Duration broken_time);

  size_t size() const { return addresses_.size(); }
  const std::string& address(size_t endpoint) const { return addresses_[endpoint]; }
  std::optional<size_t> leader() const { return leader_; }
  // Whether it has answered something since its connection broke last.
  bool IsProven(size_t endpoint) const { return nodes_[endpoint].is_proven; }
  // Whether there is another one to ask.
  bool HasAnother(size_t endpoint, Time now) const;

  // The choice for what the leader must carry out.
  Choice ChooseForLeader(Time now);
  // The choice for what any node may answer.
  Choice ChooseAny(Time now);

  // The node has answered a request that it was asked to carry out itself: it leads.
  void OnLed(size_t endpoint);
  // The node has answered anything at all.
  void OnAnswered(size_t endpoint);
  // The connection is refused or lost.
  void OnBroken(size_t endpoint, Time now);
  // The node does not answer, though there is a connection. The next request that tries it may wait as long, so it is
  // left out for longer each time, up to eight times as long.
  void OnSilent(size_t endpoint, Time now);
  // The node cannot help for now, and has said so; others may name it as the leader again.
  void OnOfNoUse(size_t endpoint, Time now);
  // The node does not lead, and does not know who does.
  void OnNotLeading(size_t endpoint);
  // A node says who leads. True if that is one of ours and works; it will be asked next.
  bool OnLeaderHint(std::string_view address, Time now);

 private:
  struct Node {
    Time broken_until = Time::min();
    Time left_out_until = Time::min();
    bool is_proven = false;
    int silences = 0;  // since its last answer
  };

  void BreakUntil(size_t endpoint, Time until);
  bool IsLeftOut(size_t endpoint, Time now) const { return now < nodes_[endpoint].left_out_until; }
  size_t NextInTurn(Time now);

  const std::vector<std::string> addresses_;
  const Duration broken_time_;
  std::vector<Node> nodes_;
  size_t turn_;
  std::optional<size_t> leader_;
  // The leader is not among ours, or its connection is broken: nodes may forward until then.
  Time forward_until_ = Time::min();
};

}  // namespace decree::rpc
