#pragma once
// Clients of the other members' key-value service, for requests that only the leader can take.

#include <map>
#include <memory>

#include <grpcpp/channel.h>

#include "decree/v1/kv.grpc.pb.h"
#include "paxos/core/membership.h"
#include "paxos/core/replica.h"

namespace decree::rpc {

class NodeClients {
 public:
  explicit NodeClients(const paxos::Replica& replica) : replica_(replica) {}

  // Begins to connect; the member is likely to be needed soon.
  void Connect(paxos::NodeId node);
  // Null unless it is connected now: what is never handed to a dead connection is surely not carried
  // out. Begins to connect.
  v1::KV::Stub* Connected(paxos::NodeId node);

 private:
  struct Client {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<v1::KV::Stub> stub;
  };

  Client* Find(paxos::NodeId node);

  const paxos::Replica& replica_;
  std::map<paxos::NodeId, Client> clients_;
};

}  // namespace decree::rpc
