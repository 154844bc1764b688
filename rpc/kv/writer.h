#pragma once
// Sees a write through: to the log if this node leads, to the leader if another does, and through a change of leader.
//
//   at the leader       it is proposed, and ends when it is applied
//   at a follower       it is forwarded, and the leader's result or failure is passed on
//   without a leader    it waits for one, for as long as a change of leader may take
//   with a full leader  it waits, and tries again
//   without a quorum    its client is told at once to ask another node
//
// A failure always says whether the write may have been carried out. After an attempt that may have worked, only a
// write that belongs to a session is sent once more.
//
// A client that repeats a request of its session adds nothing to the log: it waits for the copy that is under way, or
// the leader tells it what the session's table knows. Otherwise, where an answer takes longer than a client's patience,
// copies would crowd everybody out.
//
// For the loop's thread.

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "decree/v1/log.pb.h"
#include "kv/state_machine.h"
#include "paxos/node/node.h"
#include "rpc/failure.h"
#include "rpc/kv/leadership.h"
#include "rpc/kv/waiting_room.h"
#include "rpc/loop/event_loop.h"
#include "rpc/peer/forwarder.h"

namespace decree::rpc {

struct WriteOptions {
  // Another node has forwarded it, and goes on by itself if this one does not lead.
  bool was_forwarded = false;
  // The client wants to be told who leads, instead of having it forwarded.
  bool no_forwarding = false;
  Duration time_left;
};

// How a write ended.
struct WriteEnd {
  std::optional<Failure> failure;
  // Without a failure: the node that carried the write out, and its state machine's result, which refuses nothing; also
  // as bytes.
  paxos::NodeId node;
  v1::CommandResult result;
  std::string result_bytes;
  // The record that the result tells of, if another node has sent it; this node's state may not be as far.
  std::shared_ptr<const v1::KeyValue> previous;
};

class Writer {
 public:
  using OnEnd = std::function<void(WriteEnd&)>;

  // All references outlive the writer.
  Writer(EventLoop& loop, paxos::Node& node, const kv::StateMachine& machine, const Leadership& leadership,
         WaitingRoom& room, Forwarder& forwarder);

  // Begins a write. `command` was checked, and is the same afterwards. Calls `done` once, in this call or later.
  void Start(v1::Command& command, const WriteOptions& options, OnEnd done);
  // Call it when another node leads, or none any more.
  void OnLeadershipChanged();
  // Call it after every Turn of the node.
  void AfterTurn() { ended_.clear(); }
  // Ends the writes that wait; what is under way goes on.
  void Close() { is_closing_ = true; }

 private:
  class Write;
  using RequestId = std::pair<uint64_t, uint64_t>;  // session and number
  struct Waiter {
    Waiter(Time by, OnEnd end) : answer_by(by), done(std::move(end)) {}
    const Time answer_by;
    OnEnd done;
    std::optional<Timer> deadline;
  };

  void Forget(const Write& write);
  // Tries again in a moment.
  void TryLater(std::shared_ptr<Write> write);

  EventLoop& loop_;
  paxos::Node& node_;
  const kv::StateMachine& machine_;
  const Leadership& leadership_;
  WaitingRoom& room_;
  Forwarder& forwarder_;
  Timer give_up_timer_;  // waits no longer for answers of a former leader
  std::vector<std::shared_ptr<Write>> to_try_;
  Timer try_timer_;
  // Requests of sessions whose end is not known yet.
  absl::flat_hash_map<RequestId, Write*> under_way_;
  std::list<Waiter> ended_;  // since the last Turn: a timer must outlive what it does
  bool is_closing_ = false;
};

}  // namespace decree::rpc
