#pragma once
// Carries clients' writes to the leader, and brings back how they ended: from node to node a write is the command that
// goes into the log, whatever method it has come by.
//
// A stream to each member stands ready; requests and answers go over it in batches. Nobody knows whether a write that
// is under way when its stream breaks was proposed. The number under way at once is limited, so that they do not keep
// the leader from its peers; the others wait here.
//
// For the loop's thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "paxos/core/replica.h"
#include "rpc/failure.h"
#include "rpc/loop/event_loop.h"
#include "rpc/peer/peer_link.h"

namespace decree::rpc {

// How a forwarded write ended.
struct ForwardEnd {
  enum class Kind {
    kResult,   // carried out: `result` is what the other node says that its state machine said
    kFailure,  // the other node says why not
    kNotSent,  // the stream broke before it had left
    kLost,     // it has left, and the stream broke
  };
  Kind kind = Kind::kResult;
  std::string result;  // a CommandResult
  // The record that the result tells of, if it does; null else.
  std::shared_ptr<const v1::KeyValue> previous;
  Failure failure;
};

class Forwarder {
 public:
  // How many writes, and how many bytes of them, are under way to one node at once; a write alone may have more bytes.
  // That node keeps room for them which clients cannot take.
  static constexpr size_t kSentMax = 1024;
  static constexpr size_t kSentBytesMax = 8 << 20;

  using OnEnd = std::function<void(ForwardEnd)>;

  // `own` outlives the forwarder.
  Forwarder(EventLoop& loop, const PeerIdentity& own, const PeerLinkOptions& options);

  // Begins to connect to all other members.
  void Open(const paxos::Replica& replica);
  void Close();

  bool IsConnected(paxos::NodeId node) const;
  // Sends the command to a node that is connected, and returns the write's number. Calls `done` once, later, unless the
  // write is withdrawn.
  uint64_t Forward(paxos::NodeId node, std::shared_ptr<const std::string> command, Time answer_by, OnEnd done);
  // Withdraws a write that nobody waits for any more: `done` is let go, and not called. True if the write has left.
  bool Withdraw(uint64_t number);
  // Gives up all writes that were sent to other nodes than this one and are not answered.
  void GiveUpAllBut(paxos::NodeId node);
  // How many writes are under way or wait here.
  size_t outstanding() const;

 private:
  struct Write {
    std::shared_ptr<const std::string> command;  // until it is sent
    size_t bytes = 0;                            // of the command
    Time answer_by;
    OnEnd done;  // null: nobody waits for it any more, but the other node is still at it
    bool was_sent = false;
  };
  struct Peer {
    std::unique_ptr<PeerLink> link;
    std::unordered_map<uint64_t, Write> writes;  // by number: all that have not ended
    std::deque<uint64_t> unsent;                 // some may have been withdrawn
    size_t sent = 0;                             // of the writes
    size_t sent_bytes = 0;
  };

  void SendNext(Peer& peer);
  void OnAnswers(Peer& peer, v1::ForwardAnswers& answers);
  void OnBroken(Peer& peer);
  static Write Take(Peer& peer, uint64_t number);

  EventLoop& loop_;
  const PeerIdentity& own_;
  const PeerLinkOptions options_;
  std::map<paxos::NodeId, Peer> peers_;
  uint64_t next_number_ = 1;
};

}  // namespace decree::rpc
