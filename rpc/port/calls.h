#pragma once
// Takes all calls that come to a port, counts them, and hands them to their methods. A call of something else is told
// what the port is for.
//
// For the loop's thread.

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
  // The arguments outlive the end of all calls. `purpose` says what the port is for.
  Calls(EventLoop& loop, Callers& callers, std::string purpose)
      : loop_(loop), callers_(callers), purpose_(std::move(purpose)) {}

  // The service to register with the server.
  grpc::AsyncGenericService& service() { return service_; }
  Methods& methods() { return methods_; }
  // Begins to take calls.
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
