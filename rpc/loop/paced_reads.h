#pragma once
// Bounds what gRPC reads of a connection at once, and of all of them in a turn of the loop.
//
// gRPC 1.51 reads a socket for as long as something comes by it, into a buffer that grows with what it has read before,
// and parses all of that before the loop has its turn. No option bounds it: a client that has sent a large message may
// then begin calls by the hundred thousand in one reading, and the node holds all of them. And a few hundred bytes of
// calls cost as much as a megabyte of a message, so that some hundred clients in a hurry would keep the loop from
// hearing the other nodes.
//
// So the `recvmsg` that gRPC calls is ours. It reads a piece of a socket, says that this was all, and has the kernel
// tell once more that there is something to read. When a turn has taken so long that other nodes may wait, it says of
// sockets that have to share turns that nothing has come. They are read in the turns after it: one of each client at a
// time, and of a client's in the order in which they came to wait. `close` is ours as well, for the number of a socket
// that is closed may be another file's next.
//
// Any thread, unless it says otherwise.

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "paxos/base/time.h"
#include "rpc/loop/frame_watch.h"

namespace decree::rpc {

class PacedReads {
 public:
  enum class Pace : uint8_t {
    kNone,        // as gRPC will
    kByThePiece,  // whenever something comes
    kInTurns,     // by the piece too, but no more once a turn has taken too long
  };

  // The only ones, for a process has but one recvmsg.
  static PacedReads& Get();

  // From now on this TCP socket is read at that pace. `client` is a number for all sockets that count as one; where two
  // clients have the same, they share.
  void Set(int fd, Pace pace, uint32_t client);
  // The same of one that has a pace, and the client remains.
  void SetPace(int fd, Pace pace);
  // Lets sockets that wait be read again, unless the loop has too much to do as it is. True if any may come to wait:
  // then the next turn must begin soon, whether there are events or not. For the loop, and so is EndTurn.
  bool BeginTurn(bool may_read);
  // Sockets that share turns are not read any more until the next begins.
  void EndTurn();

  // How often any socket of the process was read, or found empty.
  static uint64_t CountReads();

  static bool IsPaced(int fd);
  // What recvmsg does for a socket that is paced.
  ssize_t Read(int fd, msghdr* message, int flags);
  // It is about to be closed.
  void Forget(int fd);

 private:
  // When the first socket was read in this turn.
  struct Beginning {
    Duration wall;
    std::optional<Duration> work;  // of the loop's thread, when it has read first
  };

  // What is known of the socket that has this number.
  struct Socket {
    bool is_waiting;  // to be read
    uint32_t bytes;   // that were read in one go so far
    uint32_t piece;   // how many to read at once
    uint32_t client;  // whose it is
    FrameWatch frames;
  };

  PacedReads() = default;
  Socket& SocketOf(int fd) { return sockets_[static_cast<size_t>(fd)]; }
  bool HasTurn(int fd);
  bool IsTurnOver();
  ssize_t WaitForTurn(int fd);
  void Await(int fd);
  // A socket that waited has been read, wholly or a piece of it.
  void OnRead(int fd, bool has_more);
  // The one that is read next; kNobody if none waits.
  int First() const { return clients_.empty() ? kNobody : waiting_.at(clients_.front()).front(); }
  // Tells the first one that it may be read.
  void CallFirst();
  void PopFirst();
  void EndWait(int fd);

  static constexpr int kNobody = -1;

  std::mutex mutex_;  // of what follows, and of each socket's pace
  std::vector<Socket> sockets_;
  bool shares_turns_ = false;
  bool may_read_ = true;
  std::optional<Beginning> turn_began_;
  std::thread::id loop_;                                   // in whose turns it is read
  std::unordered_map<uint32_t, std::deque<int>> waiting_;  // to be read, by client
  std::deque<uint32_t> clients_;                           // of them
  Duration called_at_{};                                   // when the first was first told
};

}  // namespace decree::rpc
