#pragma once
// The client's thread: takes completed calls off gRPC's queue, one after the other, and runs
// timers.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include "paxos/base/posix_clock.h"
#include "paxos/base/time.h"

namespace decree::rpc {

class ClientLoop {
 public:
  // Is told of the end of an operation.
  class Event {
   public:
    virtual ~Event() = default;
    // On the loop's thread. `ok` as gRPC says.
    virtual void OnEvent(bool ok) = 0;
  };

  ClientLoop();
  // Stops; nothing is on the queue any more. Timers that are left are dropped.
  ~ClientLoop();
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;

  // From any thread.
  Time Now() const { return clock_.Now(); }
  bool IsOwnThread() const { return std::this_thread::get_id() == thread_.get_id(); }
  // Runs `action` on the loop's thread, not before `when`.
  void At(Time when, std::function<void()> action);

  // What to give gRPC with an operation whose end `event` is to be told.
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
  // Until when to sleep; the actions that are due have been run.
  Time RunTimers();

  const PosixClock clock_;
  grpc::CompletionQueue queue_;

  std::mutex mutex_;
  std::multimap<Time, std::function<void()>> timers_;
  // How long the thread sleeps at most; an earlier timer must wake it. Min while it does not sleep.
  Time sleeps_until_ = Time::min();
  bool is_waking_ = false;

  Wake wake_{*this};
  std::unique_ptr<grpc::Alarm> alarm_;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace decree::rpc
