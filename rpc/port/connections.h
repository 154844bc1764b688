#pragma once
// Who is connected to a port, and who else may be: gRPC 1.51 has no limit of connections.
//
// When there are as many as may be, a new one takes the place of one that has no request under way: of the same client, if
// that has as many as a client may have, or else of the client that has the most. So whoever opens connections and leaves
// them keeps itself short, and nobody out. If all are in use, the new one is refused.
//
// A client is told by its address, as the owner of a session is. In the loop's thread.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <unordered_map>

namespace decree::rpc {

class Connections {
 public:
  struct Limits {
    size_t all = 4096;
    size_t of_a_client = 2048;
  };
  // Whether the connection from there, as gRPC names it, is to be spared.
  using IsUsed = std::function<bool(const std::string& caller)>;

  Connections(const Limits& limits, IsUsed is_used) : limits_(limits), is_used_(std::move(is_used)) {}

  // Whether this one may be; then it is known until gRPC has closed it, which is seen by its file. Another one may have been
  // shut down for it.
  bool Admit(int fd, const std::string& caller, const std::string& client);

  // Shuts down the one from there, if it is open.
  void Disconnect(const std::string& caller);

  // Those that are open, as far as is known.
  size_t count() const { return connections_.size(); }
  uint64_t refused() const { return refused_; }
  uint64_t displaced() const { return displaced_; }

 private:
  struct Connection {
    int fd;
    ino_t file;
    std::string caller;
    std::string client;
  };
  using Position = std::list<Connection>::iterator;

  // Forgets those that gRPC has closed.
  void Sweep();
  bool MakeRoomFor(const std::string& client);
  // gRPC sees its end, and closes it.
  void ShutDown(Position connection);
  // Shuts the oldest down that is not in use. False if there is none.
  bool Displace(const std::string& client);
  std::string WhoHasMost() const;
  size_t CountOf(const std::string& client) const;
  void Forget(Position connection);

  const Limits limits_;
  const IsUsed is_used_;
  std::list<Connection> connections_;  // the oldest first
  std::unordered_map<std::string, size_t> clients_;
  uint64_t refused_ = 0;
  uint64_t displaced_ = 0;
};

}  // namespace decree::rpc
