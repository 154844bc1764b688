#pragma once
// Ends connections that keep the loop from its work. gRPC 1.51 reads a connection for as long as something comes by it, does
// what that asks for, and gives the loop its turn afterwards: whoever sends faster than that is done (calls without end, which
// no setting stops before the other end acknowledges it; pings; frames of no meaning) would have the loop for itself, and
// its memory too.
//
// A thread looks whether the loop has spent its time in one such reading, and by which connection something is being read
// meanwhile; that one is reset. Bytes of messages do not count as a flood, for there are never more of them than a node has
// asked for: only what costs much for its size, or takes very long.

#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "paxos/base/time.h"
#include "rpc/loop/event_loop.h"
#include "rpc/port/connections.h"
#include "rpc/recent_problems.h"

namespace decree::rpc {

class FloodWatch {
 public:
  // Both outlive the watch.
  FloodWatch(EventLoop& loop, Connections& connections) : loop_(loop), connections_(connections) {}
  // Closed, or never opened.
  ~FloodWatch();

  // To be called in the loop's thread.
  void Open();
  void Close();

  // Whom it has lately reset.
  std::vector<std::string> Problems() const;

 private:
  void Main();
  // False if the watch is closed meanwhile.
  bool Sleep(Duration time);
  // What the loop's thread has had of a processor.
  Duration LoopTime() const;
  // Who makes the loop go on with this reading, which has begun when it had had so much of a processor.
  void LookFor(uint64_t reading, Duration began);
  void Note(const std::string& caller);

  EventLoop& loop_;
  Connections& connections_;
  clockid_t loop_clock_ = 0;

  mutable std::mutex mutex_;
  RecentProblems problems_;
  std::condition_variable closing_;
  bool is_closing_ = false;
  std::thread thread_;
};

}  // namespace decree::rpc
