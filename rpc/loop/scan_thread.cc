#include "rpc/loop/scan_thread.h"

#include <utility>

#include <glog/logging.h>
#include <grpc/support/time.h>
#include <grpcpp/alarm.h>

namespace decree::rpc {

class ScanThread::Task final : public Event {
 public:
  Task(EventLoop& loop, std::function<void()> work, std::function<void()> done)
      : loop_(loop), work_(std::move(work)), done_(std::move(done)) {}

  // The loop now waits for the event.
  void Enter(std::shared_ptr<Task> self) {
    self_ = std::move(self);
    loop_.ExpectTag();
  }
  // On the thread.
  void Work() {
    work_();
    work_ = nullptr;
    alarm_.Set(loop_.queue(), gpr_now(GPR_CLOCK_MONOTONIC), loop_.ExpectedTag(*this));
  }
  void OnEvent(bool) override {
    const std::shared_ptr<Task> keep = std::move(self_);
    // The thread may be the last to hold the task, and must not be the last to hold what the task refers to.
    std::exchange(done_, nullptr)();
  }

 private:
  EventLoop& loop_;
  std::function<void()> work_;
  std::function<void()> done_;
  grpc::Alarm alarm_;
  std::shared_ptr<Task> self_;
};

ScanThread::ScanThread(EventLoop& loop) : loop_(loop), thread_([this] { Main(); }) {}

ScanThread::~ScanThread() {
  {
    const std::lock_guard lock(mutex_);
    CHECK(waiting_.empty()) << "reads were left behind";
    is_ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ScanThread::Run(std::function<void()> work, std::function<void()> done) {
  auto task = std::make_shared<Task>(loop_, std::move(work), std::move(done));
  task->Enter(task);
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void ScanThread::Main() {
  while (true) {
    std::shared_ptr<Task> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task->Work();
  }
}

}  // namespace decree::rpc
