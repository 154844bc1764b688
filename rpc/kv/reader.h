#pragma once
// Finds out when a read may take place: at once under the lease, or when a quorum or the leader has confirmed that
// nothing is missing here; a stale read may always.
//
// For the loop's thread.

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
  // If not, a follower does not ask the leader, but says who leads.
  bool may_ask = true;
  Duration time_left;
};

class Reader {
 public:
  // Called with nothing when the state may be read, else with the failure.
  using OnEnd = std::function<void(const std::optional<Failure>&)>;

  // All references outlive the reader.
  Reader(EventLoop& loop, paxos::Node& node, const Leadership& leadership, WaitingRoom& room)
      : loop_(loop), node_(node), leadership_(leadership), room_(room) {}

  // Whether the state may be read at once.
  bool MayReadNow(v1::ReadMode mode);
  // Waits until it may. Calls `done` once, in this call or later.
  void Start(const ReadRequest& request, OnEnd done);
  // Ends the reads that wait for a leader; what is under way goes on.
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
