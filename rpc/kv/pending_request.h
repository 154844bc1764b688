#pragma once
// A client's request that could not be answered at once: how long it may wait, and where it waits for
// a leader.

#include <memory>
#include <vector>

#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class WaitingRoom;

// Whatever a request waits for holds a reference to it.
class PendingRequest : public std::enable_shared_from_this<PendingRequest> {
 public:
  virtual ~PendingRequest() = default;

  // The first attempt, or another one because something has changed. Nothing if it has ended.
  virtual void Try() = 0;

 protected:
  // Calls OnDeadline a little before the caller, who waits for `time_left`, gives up, so that it hears
  // why.
  PendingRequest(EventLoop& loop, WaitingRoom& room, Duration time_left);

  virtual void OnDeadline() = 0;

  // Tries again when something has changed. False, and it does not, once it has waited for as long as a change of
  // leader may take.
  bool Wait();
  // What it waited for has come.
  void StopWaiting() { waits_since_ = kTimeNever; }
  void CancelDeadline() { deadline_timer_.Cancel(); }

  Time answer_by() const { return answer_by_; }

 private:
  WaitingRoom& room_;
  const Time answer_by_;
  Time waits_since_ = kTimeNever;
  Timer deadline_timer_;
};

// Where requests wait until leadership changes, or for a moment.
class WaitingRoom {
 public:
  // `patience`: how long a change of leader may take.
  WaitingRoom(EventLoop& loop, Duration patience);

  Time Now() const { return loop_.Now(); }
  Duration patience() const { return patience_; }
  void Enter(std::shared_ptr<PendingRequest> request);
  // Lets all that wait try again.
  void TryAll();

 private:
  EventLoop& loop_;
  const Duration patience_;
  std::vector<std::shared_ptr<PendingRequest>> waiting_;
  Timer retry_timer_;
};

}  // namespace decree::rpc
