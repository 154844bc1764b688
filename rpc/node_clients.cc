#include "rpc/node_clients.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "rpc/channel_arguments.h"

namespace decree::rpc {

void AddLeader(const paxos::Replica& replica, Failure& failure) {
  v1::ErrorDetail& detail = failure.detail;
  if (const paxos::Member* const leader = replica.configuration().Find(replica.leader())) {
    detail.set_leader(leader->id.value());
    detail.set_leader_address(leader->client_address);
  } else if (failure.code == grpc::StatusCode::UNAVAILABLE &&
             detail.reason() == v1::ErrorDetail::REASON_UNSPECIFIED) {
    detail.set_reason(v1::ErrorDetail::REASON_ASK_ANOTHER);
  }
}

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
  client.channel = grpc::CreateCustomChannel(
      member->client_address, grpc::InsecureChannelCredentials(), NodeChannelArguments());
  client.stub = v1::KV::NewStub(client.channel);
  return &clients_.emplace(node, std::move(client)).first->second;
}

}  // namespace decree::rpc
