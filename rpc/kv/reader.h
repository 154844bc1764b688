#pragma once
// Sees to it that a read may take place: under the lease at once, or when a quorum or the leader has confirmed that
// nothing is missing here, or, where stale will do, always.
//
// In the loop's thread.

#include <cstdint>
#include <functional>
#include <optional>

#include "decree/v1/kv.pb.h"
#include "paxos/node/node.h"
#include "rpc/failure.h"
#include "rpc/kv/leadership.h"
#include "rpc/kv/waiting_room.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

// A read that has been let in.
struct ReadRequest {
  v1::ReadMode mode = v1::READ_MODE_LINEARIZABLE;
  // A follower asks the leader; else it says who leads.
  bool may_ask = true;
  Duration time_left;
};

class Reader {
 public:
  // Nothing: the state may be read now.
  using OnEnd = std::function<void(const std::optional<Failure>&)>;

  // All references outlive the reader.
  Reader(EventLoop& loop, paxos::Node& node, const Leadership& leadership, WaitingRoom& room)
      : loop_(loop), node_(node), leadership_(leadership), room_(room) {}

  // Whether the state may be read at once.
  bool MayReadNow(v1::ReadMode mode);
  // Waits until it may. `done` is called once, in this call or later.
  void Start(const ReadRequest& request, OnEnd done);
  // Ends what waits for a leader; what is under way goes on.
  void Close() { is_closing_ = true; }

  uint64_t stale_reads() const { return stale_reads_; }

 private:
  class Read;

  EventLoop& loop_;
  paxos::Node& node_;
  const Leadership& leadership_;
  WaitingRoom& room_;
  uint64_t stale_reads_ = 0;
  bool is_closing_ = false;
};

}  // namespace decree::rpc
