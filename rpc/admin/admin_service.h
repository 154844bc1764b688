#pragma once
// What operators ask of a node: how it does, and to hand leadership over.

#include <memory>
#include <optional>

#include "decree/v1/admin.grpc.pb.h"
#include "paxos/node/node.h"
#include "rpc/admin/status_report.h"
#include "rpc/loop/callers.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/unary_call.h"

namespace decree::rpc {

class AdminService {
 public:
  // References outlive the service.
  AdminService(Callers& callers, v1::Admin::AsyncService& service, paxos::Node& node,
               const StatusReport& report);

  // Takes requests from now on.
  void Open();
  // To be called after every Turn of the node: another node may lead now.
  void AfterTurn();

 private:
  using TransferCall = Call<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>;

  void OnTransfer(std::shared_ptr<TransferCall> call);
  void EndTransfer();

  EventLoop& loop_;
  paxos::Node& node_;
  UnaryMethod<v1::StatusRequest, v1::StatusResponse> status_;
  UnaryMethod<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse> transfer_;
  std::shared_ptr<TransferCall> transferring_;  // the call under way
  Timer patience_;
};

}  // namespace decree::rpc
