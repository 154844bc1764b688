#pragma once
// Who is connected to a port, and who else may be: gRPC 1.51 has no limit of connections.
//
// When there are as many as may be, a new one takes the place of one that has no request under way: of the same client, if
// that has as many as a client may have, or else of the client that has the most. So whoever opens connections and leaves
// them keeps itself short, and nobody out. If all are in use, the new one is refused.
//
// A client is told by its address, as the owner of a session is. In the loop's thread; a flood of callers costs little more
// than a look at one connection each.

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "paxos/base/time.h"

namespace decree::rpc {

class Connections {
 public:
  struct Limits {
    size_t all = 4096;
    size_t of_a_client = 2048;
  };
  // Whether the connection from there, as gRPC names it, is to be spared.
  using IsUsed = std::function<bool(const std::string& caller)>;
  enum class Verdict {
    kAdmitted,
    kAdmittedForAnother,  // which was shut down
    kRefused,
  };

  Connections(const Limits& limits, IsUsed is_used) : limits_(limits), is_used_(std::move(is_used)) {}

  // Of one that has come. If it is admitted it is known until gRPC has closed it, which is seen by its file.
  Verdict Admit(int fd, const std::string& caller, const std::string& client, Time now);
  // Shuts down the one from there, if it is open.
  void Disconnect(const std::string& caller);

  // Those that are open, as far as is known.
  size_t count() const { return count_; }

 private:
  struct Connection {
    int fd;
    ino_t file;
    std::string caller;
  };
  struct Client {
    std::list<Connection> connections;  // those come last that came last, or were found in use since
    Time looked_in_vain;                // for one that is not in use
  };
  using Clients = std::unordered_map<std::string, Client>;

  bool HasRoomFor(const std::string& client) const;
  size_t CountOf(const std::string& client) const;
  // Forgets those that gRPC has closed, now and then.
  void Sweep(Time now);
  bool MakeRoomFor(const std::string& client, Time now);
  // Shuts down one that is not in use. False if there is none, or was none a moment ago.
  bool DisplaceOneOf(Client& client, Time now);
  void ShutDown(Client& client, std::list<Connection>::iterator connection);

  const Limits limits_;
  const IsUsed is_used_;
  Clients clients_;
  size_t count_ = 0;
  Time swept_;
};

}  // namespace decree::rpc
