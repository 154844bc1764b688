#pragma once
// The receiving end of the peers' streams: it greets, checks who calls, and hands every message to the node and
// every forwarded write to its server.
//
// A peer has one stream of each kind; a new one replaces the old. A message that no correct peer sends ends its stream,
// and nothing else.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "decree/v1/peer.pb.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/replica.h"
#include "rpc/failure.h"
#include "rpc/loop/budget.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/server_call.h"
#include "rpc/peer/peer_hello.h"
#include "rpc/peer/peer_lives.h"
#include "rpc/recent_problems.h"

namespace decree::rpc {

class PeerService {
 public:
  class Stream;
  class ForwardedCall;
  // How much answers to forwarded writes may hold. Peers share no room with clients: a client that takes no answers
  // must not keep the writes of others from the leader.
  static constexpr Budget::Limits kAnswerLimits{.bytes_max = 16 << 20, .share = 4 << 20};
  using OnMessage = std::function<void(const paxos::Envelope&)>;
  using OnForward = std::function<void(ForwardedCall)>;

  // The references outlive the service.
  PeerService(EventLoop& loop, const PeerIdentity& own, Budget& answers) : loop_(loop), own_(own), answers_(answers) {}
  ~PeerService();

  // Begins to take the streams of the port that has these methods. `replica` is asked for the configuration.
  void Open(Methods& methods, const paxos::Replica& replica, OnMessage on_message, OnForward on_forward);
  // Call it when what came has been dealt with, and before a turn that takes long: it sends the answers that have
  // gathered.
  void Flush();
  // Call it when what came has been dealt with and answered: it reads on. gRPC tells the peer at once of each message
  // that is taken off a stream, and an answer should not wait for that.
  void ReadOn();
  size_t streams() const { return streams_.size(); }
  // The callers that it has lately refused, and why.
  std::vector<std::string> Problems() const { return problems_.Recent(loop_.Now()); }

 private:
  // Whether the peer that greets may speak.
  Status LetIn(const v1::PeerHello& hello);
  // Makes `stream` the one of its peer and kind.
  void Register(Stream& stream);
  void Remove(const std::shared_ptr<Stream>& stream);
  void Receive(std::unique_ptr<ServerCall> call);

  EventLoop& loop_;
  const PeerIdentity& own_;
  Budget& answers_;
  const paxos::Replica* replica_ = nullptr;
  OnMessage on_message_;
  OnForward on_forward_;
  std::set<std::shared_ptr<Stream>> streams_;
  std::vector<std::shared_ptr<Stream>> to_read_;  // whose next frame is to be asked for
  std::vector<std::shared_ptr<Stream>> to_flush_;
  std::map<std::pair<paxos::NodeId, v1::StreamKind>, Stream*> current_;
  std::map<paxos::NodeId, PeerLives> lives_;
  RecentProblems problems_;
};

// A client's write that another node has forwarded. It is to be answered once.
class PeerService::ForwardedCall {
 public:
  // `write` is moved from.
  ForwardedCall(std::shared_ptr<Stream> stream, v1::ForwardedWrite& write);

  // The command's bytes, as the peer claims.
  const std::string& command() const { return command_; }
  // The time left when it arrived.
  Duration time_left() const { return time_left_; }
  // The party that takes the answer.
  Budget::Holder& taker() const;

  // Does nothing if the stream has ended. `result` is a CommandResult, `previous` the record that it tells of, if any.
  void Answer(std::string result, std::optional<v1::KeyValue> previous = std::nullopt) const;
  void Fail(const Failure& failure) const;

 private:
  std::shared_ptr<Stream> stream_;
  uint64_t number_ = 0;
  Duration time_left_;
  std::string command_;
};

}  // namespace decree::rpc
