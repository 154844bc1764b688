#pragma once
// A client's connection to one node.

#include <memory>
#include <string>

#include <grpcpp/channel.h>

namespace decree::rpc {

// Connects when it is first used, and again whenever it must. Channels share nothing with each other, also
// if they lead to the same node.
std::shared_ptr<grpc::Channel> MakeClientChannel(const std::string& endpoint);

}  // namespace decree::rpc
