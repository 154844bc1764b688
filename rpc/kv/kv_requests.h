#pragma once
// How a node deals with one request: where it goes, what becomes of it, and what the client is told.
//
//   write  leader:    proposed to the log; answered when applied
//          follower:  forwarded to the leader, whose answer or error passes through
//   read   granted by the node (lease, quorum round or the leader's read index), then the store is read
//   both   no leader: wait for one, for as long as a change of leader may take
//          no quorum: are told at once to ask another node
//
// A failed write always says whether it may have been carried out. Only one that belongs to a session is
// sent once more after an attempt that may have worked.

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include <grpcpp/client_context.h>

#include "decree/v1/kv.grpc.pb.h"
#include "decree/v1/log.pb.h"
#include "kv/state_machine.h"
#include "paxos/node/node.h"
#include "rpc/failure.h"
#include "rpc/kv/admission.h"
#include "rpc/kv/kv_messages.h"
#include "rpc/kv/node_clients.h"
#include "rpc/kv/pending_request.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class WriteRequest;

// What requests share.
struct KvContext {
  KvContext(EventLoop& event_loop, paxos::Node& paxos_node, kv::StateMachine& state_machine,
            const Admission::Limits& admission_limits)
      : loop(event_loop),
        node(paxos_node),
        store(state_machine),
        admission(admission_limits),
        clients(paxos_node.replica()),
        room(event_loop, paxos_node.hand_over_max()) {}

  const paxos::Replica& replica() const { return node.replica(); }
  // Adds who leads to a failure.
  Failure WithLeader(Failure failure) const;
  // Whether this node may be able to help soon, if it is not now.
  bool MayHelpSoon() const { return !replica().is_halted() && !replica().IsCutOff(loop.Now()); }
  // The leader that is followed; kNoNode also if it may be gone.
  paxos::NodeId LiveLeader() const;
  // Lets those go on that wait to be forwarded, as many as may be at once.
  void ForwardNext();

  EventLoop& loop;
  paxos::Node& node;
  kv::StateMachine& store;
  Admission admission;
  NodeClients clients;
  WaitingRoom room;
  std::set<WriteRequest*> forwarded;  // that wait for another node's answer
  // That wait until there are fewer of those: each is a call of its own, and thousands at once would keep the
  // leader from its peers.
  std::deque<std::shared_ptr<WriteRequest>> to_forward;
  bool is_closing = false;
};

// A write on its way. Subclasses know the method; see kv_service.cc.
class WriteRequest : public PendingRequest {
 public:
  void Try() override;
  // Gives up a forwarded call to a node that does not lead any more.
  void CheckForward();

 protected:
  WriteRequest(KvContext& context, Duration time_left, const v1::RequestHeader& header);

  // ---- What differs between the methods ----

  virtual std::string EncodeCommand() const = 0;
  // Sends the request on; `OnForwarded` follows, even if the call is cancelled.
  virtual void StartForward(v1::KV::Stub& leader, grpc::ClientContext& call) = 0;
  virtual grpc::Status TakeForwardStatus() = 0;
  // These end the request.
  virtual void Answer(v1::CommandResult& result) = 0;
  virtual void AnswerForwarded() = 0;
  virtual void Fail(const Failure& failure) = 0;

  void OnForwarded(bool ok);
  KvContext& context_;

 private:
  enum class State { kWaiting, kProposed, kForwarded, kEnded };

  void OnDeadline() override;
  void Propose();
  void OnOutcome(paxos::Outcome outcome);
  void Forward(paxos::NodeId leader, v1::KV::Stub& stub);
  void OnForwardFailed(const grpc::Status& status);
  void WaitForLeader();
  void EndWith(Failure failure);
  void End();
  Failure TimedOut() const;
  Failure NoLeader() const;

  const v1::RequestHeader header_;
  State state_ = State::kWaiting;
  paxos::NodeId forwarded_to_;
  bool was_lost_sight_of_ = false;  // a copy was forwarded, and what became of it is not known
  std::unique_ptr<grpc::ClientContext> forward_;
};

// A linearizable read on its way.
class ReadRequest : public PendingRequest {
 public:
  // `answer` reads the store; `fail` ends the request too. One of them is called, once. `may_ask`:
  // a follower may ask the leader.
  ReadRequest(KvContext& context, Duration time_left, bool may_ask, std::function<void()> answer,
              std::function<void(const Failure&)> fail);

  void Try() override;

 private:
  void OnDeadline() override;
  void WaitForLeader();
  void OnRead(paxos::ReadOutcome outcome);
  void EndWith(Failure failure);

  KvContext& context_;
  const bool may_ask_;
  const std::function<void()> answer_;
  const std::function<void(const Failure&)> fail_;
  bool has_ended_ = false;
};

}  // namespace decree::rpc
