#pragma once
// How nodes connect to each other, and what a node's server grants its callers.

#include <cstddef>

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

namespace decree::rpc {

// For channels from node to node. Reconnects within a fraction of an election timeout (gRPC's own
// back-off would reach two minutes), and notices a connection that has silently died.
grpc::ChannelArguments NodeChannelArguments();

// The server's side of the same: lets the pings pass, refuses to share its port with another process.
void SetServerArguments(size_t message_bytes_max, grpc::ServerBuilder& builder);

}  // namespace decree::rpc
