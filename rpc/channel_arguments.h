#pragma once
// How the ends of a connection treat it: clients' channels, those between nodes, and a node's server. What they
// must agree on stands here once.

#include <cstddef>
#include <memory>
#include <string>

namespace grpc {
class Channel;
class ServerBuilder;
}  // namespace grpc

namespace decree::rpc {

// The largest message that any node sends to another, or to a client, whatever the options of either: what one can
// write all others can receive.
inline constexpr size_t kMessageBytesMax = 16 << 20;
// The largest that a client sends: a batch of a pipeline may be larger than 1 MiB by one request, and that has two
// values.
inline constexpr size_t kClientMessageBytesMax = 4 << 20;

// These connect when first used, and again whenever they must. Channels share nothing with each other, also if they
// lead to the same node: each has a connection of its own.

// From a client to a node.
std::shared_ptr<grpc::Channel> MakeClientChannel(const std::string& address);
// From node to node. Reconnects within a fraction of an election timeout (gRPC's own back-off would reach two
// minutes), and notices soon that a connection has silently died.
std::shared_ptr<grpc::Channel> MakeNodeChannel(const std::string& address);

// The server's side of the same: lets the pings pass, refuses to share its port with another process.
void SetServerArguments(grpc::ServerBuilder& builder);

}  // namespace decree::rpc
