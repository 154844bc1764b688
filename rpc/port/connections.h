#pragma once
// The connections to a port, and a limit to them, which gRPC 1.51 lacks.
//
// When there are as many as may be, a new connection takes the place of one that has no request under way: one of the
// same client, if that has as many as a client may have, or else one of the client that has the most. So a client that
// opens connections and leaves them keeps itself short, and nobody out. If all are in use, the new one is refused.
//
// A client is known by its address, as the owner of a session is. For the loop's thread, except where it says so. A
// flood of callers costs little more than a look at one connection each.

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
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
    // A client that has a request under way is known, and not taken for the companion of one that floods.
    bool trusts_used = false;
  };
  // Whether requests of a connection are under way. Any thread.
  using Use = std::shared_ptr<std::atomic<bool>>;
  enum class Verdict {
    kAdmitted,
    kAdmittedForAnother,  // which was shut down
    kRefused,
    kBanned,
  };

  explicit Connections(const Limits& limits) : limits_(limits) {}

  // Decides about a connection that has come. An admitted one is kept until gRPC has closed it, which shows in its
  // file.
  Verdict Admit(int fd, const std::string& caller, const std::string& client, Time now);
  // The use of the connection from there, for whoever serves it to keep up to date.
  Use UseOf(const std::string& caller);
  // Ends the connection from there, if it is open, and drops what has come by it and what waits to be sent. Any thread.
  void Reset(const std::string& caller);
  // Ends the connection by which a flood came, and those of its client that have much unread. Unless connections in use
  // are trusted, the client may not connect again before `kBan` has passed. Any thread.
  void ResetFlood(const std::string& caller, Time now);
  static constexpr Duration kBan = Seconds(1);
  // Ends all connections of which something waits to be read, and drops it; not those in use, if these are trusted. Any
  // thread.
  void ResetUnread();
  // How many bytes gRPC has read of each connection, by its caller. Any thread.
  std::unordered_map<std::string, uint64_t> BytesTaken() const;

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
    Time banned_until;
  };
  using Clients = std::unordered_map<std::string, Client>;

  bool HasRoomFor(const std::string& client) const;
  size_t CountOf(const std::string& client) const;
  // Forgets those that gRPC has closed, if it is time to.
  void Sweep(Time now);
  bool MakeRoomFor(const std::string& client, Time now);
  // Shuts down a connection that is not in use. False if there is none, or was none a moment ago.
  bool DisplaceOneOf(Client& client, Time now);
  std::pair<Client*, std::list<Connection>::iterator> Find(const std::string& caller);
  void ResetUnreadOf(Client& client, uint64_t bytes_min);
  void Reset(Client& client, std::list<Connection>::iterator connection);
  void Forget(Client& client, std::list<Connection>::iterator connection);

  const Limits limits_;
  mutable std::mutex mutex_;  // of what follows
  Clients clients_;
  size_t count_ = 0;
  Time swept_;
};

}  // namespace decree::rpc
