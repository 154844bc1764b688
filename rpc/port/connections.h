#pragma once
// Who is connected to a port, and who else may be: gRPC 1.51 has no limit of connections.
//
// When there are as many as may be, a new one takes the place of one that has no request under way: of the same client, if
// that has as many as a client may have, or else of the client that has the most. So whoever opens connections and leaves
// them keeps itself short, and nobody out. If all are in use, the new one is refused.
//
// A client is told by its address, as the owner of a session is. In the loop's thread, but where it says so; a flood of
// callers costs little more than a look at one connection each.

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
    // Who has a request under way is known, and is not taken for the companion of whoever floods.
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

  // Of one that has come. If it is admitted it is known until gRPC has closed it, which is seen by its file.
  Verdict Admit(int fd, const std::string& caller, const std::string& client, Time now);
  // Of the one from there, to be kept up to date by whoever serves it.
  Use UseOf(const std::string& caller);
  // Ends the one from there, if it is open, and drops what has come by it and what waits to be sent. Any thread.
  void Reset(const std::string& caller);
  // The same, of one by which there came a flood, and of those of its client that have much unread. Unless used ones are
  // trusted, the client may not connect again before `kBan` has passed. Any thread.
  void ResetFlood(const std::string& caller, Time now);
  static constexpr Duration kBan = Seconds(1);
  // What gRPC has read of each since it is open, by their callers. Any thread.
  std::unordered_map<std::string, uint64_t> BytesTaken() const;

  // Those that are open; looks for those that gRPC has closed, unless it has done so just before.
  size_t Count(Time now);

 private:
  struct Connection {
    int fd;
    ino_t file;
    std::string caller;
    Use use;
  };
  struct Client {
    std::list<Connection> connections;  // those come last that came last, or were found in use since
    Time looked_in_vain;                // for one that is not in use
    Time banned_until;
  };
  using Clients = std::unordered_map<std::string, Client>;

  bool HasRoomFor(const std::string& client) const;
  size_t CountOf(const std::string& client) const;
  // Forgets those that gRPC has closed, now and then.
  void Sweep(Time now);
  bool MakeRoomFor(const std::string& client, Time now);
  // Shuts down one that is not in use. False if there is none, or was none a moment ago.
  bool DisplaceOneOf(Client& client, Time now);
  std::pair<Client*, std::list<Connection>::iterator> Find(const std::string& caller);
  void Reset(Client& client, std::list<Connection>::iterator connection);
  void Forget(Client& client, std::list<Connection>::iterator connection);

  const Limits limits_;
  mutable std::mutex mutex_;  // of what follows
  Clients clients_;
  size_t count_ = 0;
  Time swept_;
};

}  // namespace decree::rpc
