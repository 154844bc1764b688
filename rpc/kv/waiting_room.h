#pragma once
// A room in which requests wait until leadership changes, or for a moment.

#include <functional>
#include <vector>

#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class WaitingRoom {
 public:
  // `patience` is how long a change of leader may take.
  WaitingRoom(EventLoop& loop, Duration patience);

  // Calls `try_again` once, later.
  void Enter(std::function<void()> try_again);
  // Lets all that wait try again.
  void TryAll();

  Duration patience() const { return patience_; }

 private:
  EventLoop& loop_;
  const Duration patience_;
  std::vector<std::function<void()>> waiting_;
  Timer retry_timer_;
};

// When to answer a request whose caller waits for `time_left`: a little before the caller gives up, so that it hears
// why.
Time AnswerBy(Time now, Duration time_left);

}  // namespace decree::rpc
