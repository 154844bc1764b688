#include "rpc/port/connections.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>

#include "paxos/base/probe.h"

namespace decree::rpc {
namespace {

// 0 if there is no such file.
ino_t FileOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

bool Connections::Admit(int fd, const std::string& caller, const std::string& client) {
  if (!MakeRoomFor(client)) {
    PROBE("a connection was refused");
    ++refused_;
    return false;
  }
  connections_.push_back({.fd = fd, .file = FileOf(fd), .caller = caller, .client = client});
  ++clients_[client];
  return true;
}

bool Connections::MakeRoomFor(const std::string& client) {
  const auto is_room = [&] { return connections_.size() < limits_.all && CountOf(client) < limits_.of_a_client; };
  if (is_room()) return true;
  Sweep();
  if (is_room()) return true;
  if (CountOf(client) >= limits_.of_a_client) return Displace(client);
  return Displace(WhoHasMost());
}

void Connections::Sweep() {
  for (auto connection = connections_.begin(); connection != connections_.end();) {
    const Position next = std::next(connection);
    if (FileOf(connection->fd) != connection->file) Forget(connection);
    connection = next;
  }
}

bool Connections::Displace(const std::string& client) {
  const auto idle = std::find_if(connections_.begin(), connections_.end(), [&](const Connection& connection) {
    return connection.client == client && !is_used_(connection.caller);
  });
  if (idle == connections_.end()) return false;
  PROBE("a connection was shut down for another");
  ++displaced_;
  ShutDown(idle);
  return true;
}

void Connections::Disconnect(const std::string& caller) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const Connection& connection) { return connection.caller == caller; });
  if (found != connections_.end()) ShutDown(found);
}

void Connections::ShutDown(Position connection) {
  // The number may be another file's by now.
  if (FileOf(connection->fd) == connection->file) shutdown(connection->fd, SHUT_RDWR);
  Forget(connection);
}

std::string Connections::WhoHasMost() const {
  return std::max_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
           return a.second < b.second;
         })->first;
}

size_t Connections::CountOf(const std::string& client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? 0 : found->second;
}

void Connections::Forget(Position connection) {
  const auto client = clients_.find(connection->client);
  if (--client->second == 0) clients_.erase(client);
  connections_.erase(connection);
}

}  // namespace decree::rpc
