#pragma once
// The settings of connections: for clients' channels, for those between nodes, and for a node's server. What the ends
// must agree on stands here once.

#include <cstddef>
#include <memory>
#include <string>

namespace grpc {
class Channel;
class ServerBuilder;
}  // namespace grpc

namespace decree::rpc {

// The size of the largest message that any node sends to another or to a client, whatever their options: what one can
// write, all others can receive.
inline constexpr size_t kMessageBytesMax = 16 << 20;
// The size of the largest message that a client sends: a batch of a pipeline may exceed 1 MiB by one request, which may
// have two values.
inline constexpr size_t kClientMessageBytesMax = 4 << 20;

// The channels below connect when they are used first, and again whenever they must. Each has a connection of its own,
// even if several lead to the same node.

// A channel from a client to a node.
std::shared_ptr<grpc::Channel> MakeClientChannel(const std::string& address);
// A channel from node to node. It reconnects within a fraction of an election timeout (gRPC's own back-off would reach
// two minutes), and notices soon that a connection has silently died.
std::shared_ptr<grpc::Channel> MakeNodeChannel(const std::string& address);

// The server's side of the same: lets the pings pass, refuses to share its port with another process.
void SetServerArguments(grpc::ServerBuilder& builder);

}  // namespace decree::rpc
