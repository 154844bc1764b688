#pragma once
// The client's thread: takes what has completed off gRPC's queue, in batches, and runs timers.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include "paxos/base/posix_clock.h"
#include "paxos/base/time.h"
#include "rpc/loop/event.h"

namespace decree::rpc {

class ClientLoop {
 public:
  // `after_batch` is called whenever the events that had gathered, or the timers that were due, have been dealt
  // with.
  explicit ClientLoop(std::function<void()> after_batch);
  // Stops. Nothing may be on the queue any more; timers that are left are dropped.
  ~ClientLoop();
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;

  void Start();

  // Any thread may call these.
  const Clock& clock() const { return clock_; }
  Time Now() const { return clock_.Now(); }
  bool IsOwnThread() const { return std::this_thread::get_id() == thread_.get_id(); }
  // Runs `action` on the loop's thread, not before `when`.
  void At(Time when, std::function<void()> action);

  // The tag to give gRPC with an operation whose end `event` is to be told.
  static void* Tag(Event& event);
  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  class Wake final : public Event {
   public:
    explicit Wake(ClientLoop& loop) : loop_(loop) {}
    void OnEvent(bool ok) override;

   private:
    ClientLoop& loop_;
  };

  void Run();
  // Waits for events until then, and handles all there are. False when the queue has ended.
  bool HandleEvents(Time until);
  // Runs the actions that are due; returns until when to sleep.
  Time RunTimers();

  const std::function<void()> after_batch_;
  const PosixClock clock_;
  grpc::CompletionQueue queue_;

  std::mutex mutex_;
  std::multimap<Time, std::function<void()>> timers_;
  // Until when the thread sleeps; an earlier timer must wake it. Time::min() while it does not sleep.
  Time sleeps_until_ = Time::min();
  bool is_waking_ = false;

  Wake wake_{*this};
  std::unique_ptr<grpc::Alarm> alarm_;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace decree::rpc
