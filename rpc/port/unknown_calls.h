#pragma once
// Calls of methods that a port does not serve: who calls the wrong port of a node is told which is right.

#include <string>
#include <utility>

#include <grpcpp/generic/async_generic_service.h>

#include "rpc/loop/event.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class UnknownCalls {
 public:
  // `text` says what the port is for. The service outlives the end of all calls.
  UnknownCalls(EventLoop& loop, std::string text) : loop_(loop), text_(std::move(text)) {}

  grpc::AsyncGenericService& service() { return service_; }
  // Answers from now on.
  void Open();

 private:
  class Refusal;

  EventLoop& loop_;
  const std::string text_;
  grpc::AsyncGenericService service_;
};

}  // namespace decree::rpc
