#pragma once
// What operators ask of a node: to tell how it does, and to hand leadership over.

#include <memory>
#include <optional>

#include "decree/v1/admin.pb.h"
#include "paxos/node/node.h"
#include "rpc/admin/node_status_report.h"
#include "rpc/loop/call.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/methods.h"

namespace decree::rpc {

class AdminService {
 public:
  // The references outlive the service. The port that has these methods serves it.
  AdminService(EventLoop& loop, Methods& methods, paxos::Node& node, const NodeStatusReport& report);

  // Call it after every Turn of the node: another node may lead now.
  void AfterTurn();

 private:
  using TransferCall = CallPtr<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>;

  using StatusCall = CallPtr<v1::NodeStatusRequest, v1::NodeStatusResponse>;

  void OnNodeStatus(const StatusCall& call);
  void OnTransfer(TransferCall call);
  void EndTransfer();

  EventLoop& loop_;
  paxos::Node& node_;
  const NodeStatusReport& report_;
  TransferCall transferring_;  // the call under way
  Timer patience_;
};

}  // namespace decree::rpc
