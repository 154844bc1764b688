#pragma once
// Ends connections that keep the loop from its work. gRPC 1.51 reads a connection for as long as something comes by it,
// does what that asks for, and only then gives the loop its turn. A client that sends faster than that (calls without
// end, which no setting stops before the other end acknowledges it, or frames without meaning) would have the loop for
// itself, and its memory too.
//
// A timer that counts the processor time of the loop's thread sends that thread a signal every few milliseconds of
// work. If the loop has been at one such reading for several of them, a thread wakes, sees by which connection
// something has been read since the tick before, and resets that one. So nothing polls, a node without work does none
// of this, and one that others keep from the processor looks no less closely. Bytes of messages do not count as a
// flood, for there are never more of them than a node has asked for: only what costs much for its size, or takes very
// long.

#include <semaphore.h>
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "rpc/loop/event_loop.h"
#include "rpc/port/connections.h"
#include "rpc/recent_problems.h"

namespace decree::rpc {

class FloodWatch {
 public:
  // The arguments outlive the watch.
  FloodWatch(EventLoop& loop, Connections& connections);
  // It must be closed, or never have been opened.
  ~FloodWatch();
  FloodWatch(const FloodWatch&) = delete;
  FloodWatch& operator=(const FloodWatch&) = delete;

  // For the loop's thread, both. An error says what the system lacks.
  Status Open();
  void Close();

  // The callers that it has lately reset.
  std::vector<std::string> Problems() const;

 private:
  // How far the loop had come when the watch looked.
  struct Look {
    uint64_t reading = 0;
    Duration work{0};                                 // of the loop's thread, since it began
    std::unordered_map<std::string, uint64_t> taken;  // by each connection, in bytes
  };

  // Handles the signal, in the loop's thread and in the midst of anything.
  static void OnSignal(int signal, siginfo_t* info, void* context);
  void OnTick();
  int TakeNumber();
  void Main();
  // Looks for the caller that makes the loop go on with the reading that it is at.
  void LookForFlood();
  void Note(const std::string& caller);

  EventLoop& loop_;
  Connections& connections_;
  int number_ = -1;  // among the watches of this process
  timer_t timer_{};
  clockid_t loop_clock_ = 0;

  uint64_t last_reading_ = 0;         // that the loop was at in the last tick
  std::atomic<int> ticks_at_it_ = 0;  // how many have found the loop at that reading
  Look last_look_;                    // of the watch's thread alone
  std::atomic<bool> is_closing_ = false;
  sem_t woken_{};
  std::thread thread_;

  mutable std::mutex mutex_;
  RecentProblems problems_;
};

}  // namespace decree::rpc
