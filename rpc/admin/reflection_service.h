#pragma once
// gRPC's reflection, by which tools learn what a node offers, on our own event loop: the one that comes with the
// library serves each call by a thread, bounds nothing, and has its threads wait for everybody's sockets.

#include <memory>
#include <string>
#include <vector>

#include "rpc/loop/event_loop.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/server_call.h"

namespace decree::rpc {

class ReflectionService {
 public:
  // Describes these services, by their full names, at the port that has these methods.
  ReflectionService(EventLoop& loop, Methods& methods, std::vector<std::string> services);

 private:
  class Stream;

  EventLoop& loop_;
  const std::vector<std::string> services_;
};

}  // namespace decree::rpc
