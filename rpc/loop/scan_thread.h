#pragma once
// A thread for reads that take long, so that the loop, and with it the node, can go on meanwhile.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class ScanThread {
 public:
  explicit ScanThread(EventLoop& loop);
  // The loop must have seen the end of all work.
  ~ScanThread();
  ScanThread(const ScanThread&) = delete;
  ScanThread& operator=(const ScanThread&) = delete;

  // Runs `work` on the thread, in the order of the calls, and then `done` in the loop. What `done` holds is let go in
  // the loop, and what only `work` holds, on the thread. For the loop's thread.
  void Run(std::function<void()> work, std::function<void()> done);

 private:
  class Task;

  void Main();

  EventLoop& loop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> waiting_;
  bool is_ending_ = false;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace decree::rpc
