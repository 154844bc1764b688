#pragma once
// Lets several gRPC servers share one loop's completion queue. gRPC makes a queue for each server that is being built,
// and offers no way to give it another's.

#include <memory>

#include <grpcpp/completion_queue.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "rpc/loop/event_loop.h"

namespace decree::rpc {

// Builds and starts a server whose calls may be awaited at the loop's queue. Null if gRPC cannot.
std::unique_ptr<grpc::Server> BuildOn(EventLoop& loop, grpc::ServerBuilder& builder);

}  // namespace decree::rpc
