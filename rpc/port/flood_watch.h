#pragma once
// Ends connections that keep the loop from its work. gRPC 1.51 reads a connection for as long as something comes by it, does
// what that asks for, and gives the loop its turn afterwards: whoever sends faster than that is done (calls without end, which
// no setting stops before the other end acknowledges it; frames of no meaning) would have the loop for itself, and its memory
// too.
//
// A timer that counts the processor's time of the loop's thread rings, by a signal to that thread, every few milliseconds
// that it works. If it has been at one such reading all the time, a thread is woken that sees by which connection something
// is being read meanwhile, and resets that one. So nothing polls, and a node without work has none of this either. Bytes of messages
// do not count as a flood, for there are never more of them than a node has asked for: only what costs much for its size, or
// takes very long.

#include <semaphore.h>
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "rpc/loop/event_loop.h"
#include "rpc/port/connections.h"
#include "rpc/recent_problems.h"

namespace decree::rpc {

class FloodWatch {
 public:
  // Both outlive the watch.
  FloodWatch(EventLoop& loop, Connections& connections);
  // Closed, or never opened.
  ~FloodWatch();
  FloodWatch(const FloodWatch&) = delete;
  FloodWatch& operator=(const FloodWatch&) = delete;

  // Both in the loop's thread. An error says what the system lacks.
  Status Open();
  void Close();

  // Whom it has lately reset.
  std::vector<std::string> Problems() const;

 private:
  // Of the signal; in the loop's thread, in the midst of anything.
  static void OnSignal(int signal, siginfo_t* info, void* context);
  void OnTick();
  int TakeNumber();
  void Main();
  // Who makes the loop go on with the reading that it is at.
  void LookForFlood();
  void Note(const std::string& caller);

  EventLoop& loop_;
  Connections& connections_;
  int number_ = -1;  // among the watches of this process
  timer_t timer_{};
  clockid_t loop_clock_ = 0;

  uint64_t last_reading_ = 0;         // at the last tick
  std::atomic<int> ticks_at_it_ = 0;  // that found the loop at the same reading
  std::atomic<bool> is_closing_ = false;
  sem_t woken_{};
  std::thread thread_;

  mutable std::mutex mutex_;
  RecentProblems problems_;
};

}  // namespace decree::rpc
