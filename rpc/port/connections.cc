#include "rpc/port/connections.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "paxos/base/rare_case.h"

namespace decree::rpc {
namespace {

// A look takes a system call for each connection.
constexpr Duration kSweepEvery = Milliseconds(100);
// A client that was found to use all of its connections is not looked at again before that.
constexpr Duration kLookEvery = Milliseconds(20);

// The file's number, 0 if there is no such file.
ino_t FileOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool HasUnread(int fd) {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

}  // namespace

bool Connections::IsOne(Which which, const Connection& connection) const {
  if (*connection.use && (limits_.trusts_used || which == Which::kIdle)) return false;
  return which != Which::kUnread || HasUnread(connection.fd);
}

Connections::Verdict Connections::Admit(int fd, const std::string& caller, const std::string& client, Time now) {
  Verdict verdict = Verdict::kAdmitted;
  if (!HasRoomFor(client)) Sweep(now);
  if (!HasRoomFor(client)) {
    if (!MakeRoomFor(client, now)) {
      RARE_CASE("a connection was refused");
      return Verdict::kRefused;
    }
    verdict = Verdict::kAdmittedForAnother;
  }
  clients_[client].connections.push_back(
      {.fd = fd, .file = FileOf(fd), .caller = caller, .use = std::make_shared<bool>(false)});
  ++count_;
  return verdict;
}

size_t Connections::Count(Time now) {
  Sweep(now);
  return count_;
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
    if (!*connections.front().use) {
      RARE_CASE("a connection was shut down for another");
      // gRPC sees the end of the connection, and closes it. By now the number may belong to another file.
      const Connection& displaced = connections.front();
      if (FileOf(displaced.fd) == displaced.file) shutdown(displaced.fd, SHUT_RDWR);
      Forget(client, connections.begin());
      return true;
    }
    connections.splice(connections.end(), connections, connections.begin());
  }
  client.looked_in_vain = now;
  return false;
}

Connections::Use Connections::UseOf(const std::string& caller) {
  const auto [client, connection] = Find(caller);
  // A connection that was displaced meanwhile has no entry, and nobody reads its use.
  return client != nullptr ? connection->use : std::make_shared<bool>(false);
}

void Connections::SetPace(const std::string& caller, PacedReads::Pace pace) {
  const auto [client, connection] = Find(caller);
  if (client != nullptr && FileOf(connection->fd) == connection->file) PacedReads::Get().SetPace(connection->fd, pace);
}

void Connections::Reset(const std::string& caller) {
  if (const auto [client, connection] = Find(caller); client != nullptr) Reset(*client, connection);
}

void Connections::Reset(Which which) {
  for (auto& [name, client] : clients_) {
    for (auto one = client.connections.begin(); one != client.connections.end();) {
      const auto next = std::next(one);
      if (IsOne(which, *one)) Reset(client, one);
      one = next;
    }
  }
}

std::pair<Connections::Client*, std::list<Connections::Connection>::iterator> Connections::Find(
    const std::string& caller) {
  for (auto& [name, client] : clients_) {
    // The newest come last, and are the ones asked for most.
    for (auto one = client.connections.end(); one != client.connections.begin();) {
      if ((--one)->caller == caller) return {&client, one};
    }
  }
  return {};
}

void Connections::Reset(Client& client, std::list<Connection>::iterator connection) {
  if (FileOf(connection->fd) == connection->file) {
    // A shutdown alone would leave gRPC what has come, and the kernel what is to be sent. This way a TCP socket ends at
    // once.
    const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
    if (connect(connection->fd, &nobody, sizeof(nobody)) != 0) shutdown(connection->fd, SHUT_RDWR);
  }
  Forget(client, connection);
}

void Connections::Forget(Client& client, std::list<Connection>::iterator connection) {
  client.connections.erase(connection);
  --count_;
}

}  // namespace decree::rpc
