#include "rpc/port/connections.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "paxos/base/probe.h"

namespace decree::rpc {
namespace {

// It takes a system call for each connection.
constexpr Duration kSweepEvery = Milliseconds(100);
// Who was found to use all of its connections is not looked at again before that.
constexpr Duration kLookEvery = Milliseconds(20);

// 0 if there is no such file.
ino_t FileOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

Connections::Verdict Connections::Admit(int fd, const std::string& caller, const std::string& client, Time now) {
  Verdict verdict = Verdict::kAdmitted;
  if (!HasRoomFor(client)) Sweep(now);
  if (!HasRoomFor(client)) {
    if (!MakeRoomFor(client, now)) {
      PROBE("a connection was refused");
      return Verdict::kRefused;
    }
    verdict = Verdict::kAdmittedForAnother;
  }
  clients_[client].connections.push_back({.fd = fd, .file = FileOf(fd), .caller = caller});
  ++count_;
  return verdict;
}

bool Connections::HasRoomFor(const std::string& client) const {
  return count_ < limits_.all && CountOf(client) < limits_.of_a_client;
}

size_t Connections::CountOf(const std::string& client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? 0 : found->second.connections.size();
}

void Connections::Sweep(Time now) {
  if (now - swept_ < kSweepEvery) return;
  swept_ = now;
  count_ = 0;
  for (auto& [name, client] : clients_) {
    std::erase_if(client.connections, [](const Connection& one) { return FileOf(one.fd) != one.file; });
    count_ += client.connections.size();
  }
  std::erase_if(clients_, [](const auto& item) { return item.second.connections.empty(); });
}

bool Connections::MakeRoomFor(const std::string& client, Time now) {
  if (CountOf(client) >= limits_.of_a_client) return DisplaceOneOf(clients_[client], now);
  std::vector<Client*> clients;
  for (auto& [name, one] : clients_) clients.push_back(&one);
  std::sort(clients.begin(), clients.end(),
            [](const Client* a, const Client* b) { return a->connections.size() > b->connections.size(); });
  return std::any_of(clients.begin(), clients.end(), [&](Client* one) { return DisplaceOneOf(*one, now); });
}

bool Connections::DisplaceOneOf(Client& client, Time now) {
  if (now - client.looked_in_vain < kLookEvery) return false;
  std::list<Connection>& connections = client.connections;
  for (size_t looked = 0; looked < connections.size(); ++looked) {
    if (!is_used_(connections.front().caller)) {
      PROBE("a connection was shut down for another");
      ShutDown(client, connections.begin());
      return true;
    }
    connections.splice(connections.end(), connections, connections.begin());
  }
  client.looked_in_vain = now;
  return false;
}

void Connections::Disconnect(const std::string& caller) {
  for (auto& [name, client] : clients_) {
    const auto found = std::find_if(client.connections.begin(), client.connections.end(),
                                    [&](const Connection& one) { return one.caller == caller; });
    if (found != client.connections.end()) return ShutDown(client, found);
  }
}

void Connections::ShutDown(Client& client, std::list<Connection>::iterator connection) {
  // gRPC sees its end, and closes it. The number may be another file's by now.
  if (FileOf(connection->fd) == connection->file) shutdown(connection->fd, SHUT_RDWR);
  client.connections.erase(connection);
  --count_;
}

}  // namespace decree::rpc
