#include "rpc/loop/shared_queue.h"

#include <grpc/grpc.h>

namespace decree::rpc {
namespace {

// The loop that is to have the events of the server that this thread is building; null if it builds none.
thread_local EventLoop* building_for = nullptr;

class AddQueue final : public grpc::Server::GlobalCallbacks {
 public:
  void PreServerStart(grpc::Server* server) override {
    if (building_for == nullptr) return;
    grpc_server_register_completion_queue(server->c_server(), building_for->queue()->cq(), nullptr);
  }
  void PreSynchronousRequest(grpc::ServerContext*) override {}
  void PostSynchronousRequest(grpc::ServerContext*) override {}
};

// gRPC keeps it for the life of the process, and takes one only before the first server is made.
[[maybe_unused]] const bool is_set = [] {
  grpc::Server::SetGlobalCallbacks(new AddQueue);
  return true;
}();

}  // namespace

std::unique_ptr<grpc::Server> BuildOn(EventLoop& loop, grpc::ServerBuilder& builder) {
  building_for = &loop;
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  building_for = nullptr;
  return server;
}

}  // namespace decree::rpc
