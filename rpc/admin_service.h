#pragma once
// What operators ask of a node; answered by the node itself, without a quorum.

#include <functional>
#include <memory>

#include "decree/v1/admin.grpc.pb.h"
#include "rpc/event_loop.h"
#include "rpc/unary_call.h"

namespace decree::rpc {

class AdminService {
 public:
  using FillStatus = std::function<void(v1::StatusResponse&)>;

  // `service` is the one registered with the server.
  AdminService(EventLoop& loop, v1::Admin::AsyncService& service, FillStatus fill_status);

  // Takes requests from now on.
  void Open();

 private:
  UnaryMethod<v1::StatusRequest, v1::StatusResponse> status_;
};

}  // namespace decree::rpc
