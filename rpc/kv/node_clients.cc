#include "rpc/kv/node_clients.h"

#include "rpc/channel_arguments.h"

namespace decree::rpc {

void NodeClients::Connect(paxos::NodeId node) {
  if (Client* const client = Find(node)) client->channel->GetState(/*try_to_connect=*/true);
}

v1::KV::Stub* NodeClients::Connected(paxos::NodeId node) {
  Client* const client = Find(node);
  if (client == nullptr) return nullptr;
  return client->channel->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY
             ? client->stub.get()
             : nullptr;
}

NodeClients::Client* NodeClients::Find(paxos::NodeId node) {
  const auto found = clients_.find(node);
  if (found != clients_.end()) return &found->second;
  const paxos::Member* const member = replica_.configuration().Find(node);
  if (member == nullptr) return nullptr;
  Client client;
  client.channel = MakeNodeChannel(member->client_address);
  client.stub = v1::KV::NewStub(client.channel);
  return &clients_.emplace(node, std::move(client)).first->second;
}

}  // namespace decree::rpc
