#pragma once
// All calls that come to a port: awaited, counted, and handed to their methods. Who calls something else is told what the port
// is for.
//
// In the loop's thread.

#include <memory>
#include <string>
#include <utility>

#include <grpcpp/generic/async_generic_service.h>

#include "rpc/loop/callers.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/server_call.h"

namespace decree::rpc {

class Calls {
 public:
  // All outlive the end of all calls. `purpose` says what the port is for.
  Calls(EventLoop& loop, Callers& callers, std::string purpose)
      : loop_(loop), callers_(callers), purpose_(std::move(purpose)) {}

  // To be registered with the server.
  grpc::AsyncGenericService& service() { return service_; }
  Methods& methods() { return methods_; }
  // Takes calls from now on.
  void Open();

 private:
  void Await() { ServerCall::Await(loop_, service_, receive_); }
  void OnArrived(std::unique_ptr<ServerCall> call);

  EventLoop& loop_;
  Callers& callers_;
  const std::string purpose_;
  const ServerCall::Receive receive_ = [this](std::unique_ptr<ServerCall> call) { OnArrived(std::move(call)); };
  grpc::AsyncGenericService service_;
  Methods methods_;
};

}  // namespace decree::rpc
