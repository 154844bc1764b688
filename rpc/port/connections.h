#pragma once
// The connections to a port, and a limit to them, which gRPC 1.51 lacks.
//
// When there are as many as may be, a new connection takes the place of one that has no request under way: one of the
// same client, if that has as many as a client may have, or else one of the client that has the most. So a client that
// opens connections and leaves them keeps itself short, and nobody out. If all are in use, the new one is refused.
//
// A client is known by its address, as the owner of a session is. For the loop's thread. A flood of callers costs
// little more than a look at one connection each.

#include <sys/types.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "paxos/base/time.h"
#include "rpc/loop/paced_reads.h"

namespace decree::rpc {

class Connections {
 public:
  struct Limits {
    size_t all = 4096;
    size_t of_a_client = 2048;
    // Whether connections that have a request under way are spared when many are ended at once.
    bool trusts_used = false;
  };
  // Whether requests of a connection are under way.
  using Use = std::shared_ptr<bool>;
  enum class Verdict {
    kAdmitted,
    kAdmittedForAnother,  // which was shut down
    kRefused,
  };

  explicit Connections(const Limits& limits) : limits_(limits) {}

  // Decides about a connection that has come. An admitted one is kept until gRPC has closed it, which shows in its
  // file.
  Verdict Admit(int fd, const std::string& caller, const std::string& client, Time now);
  // The use of the connection from there, for whoever serves it to keep up to date.
  Use UseOf(const std::string& caller);
  // How the connection from there is read from now on.
  void SetPace(const std::string& caller, PacedReads::Pace pace);
  // Ends the connection from there, if it is open, and drops what has come by it and what waits to be sent.
  void Reset(const std::string& caller);
  enum class Which {
    kUnread,  // of which something waits to be read
    kIdle,    // which have no request under way
    kAll,
  };
  // Ends them, as above; not those in use, if these are trusted.
  void Reset(Which which);

  // How many are open. Looks for those that gRPC has closed, unless it has done so just before.
  size_t Count(Time now);

 private:
  struct Connection {
    int fd;
    ino_t file;
    std::string caller;
    Use use;
  };
  struct Client {
    std::list<Connection> connections;  // last those that came last, or were found in use since
    Time looked_in_vain;                // when all were found to be in use
  };
  using Clients = std::unordered_map<std::string, Client>;

  bool IsOne(Which which, const Connection& connection) const;
  bool HasRoomFor(const std::string& client) const;
  size_t CountOf(const std::string& client) const;
  // Forgets those that gRPC has closed, if it is time to.
  void Sweep(Time now);
  bool MakeRoomFor(const std::string& client, Time now);
  // Shuts down a connection that is not in use. False if there is none, or was none a moment ago.
  bool DisplaceOneOf(Client& client, Time now);
  std::pair<Client*, std::list<Connection>::iterator> Find(const std::string& caller);
  void Reset(Client& client, std::list<Connection>::iterator connection);
  void Forget(Client& client, std::list<Connection>::iterator connection);

  const Limits limits_;
  Clients clients_;
  size_t count_ = 0;
  Time swept_;
};

}  // namespace decree::rpc
