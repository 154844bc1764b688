#pragma once
// A client's side of a session: it numbers the requests, and knows the lowest number that it still waits for.
//
// A number belongs to one request, however often that is sent. A request that the client gives up counts as answered:
// the floor passes it, and a copy of it that arrives later is not carried out any more.
//
// Passive, for one thread.

#include <cstdint>
#include <set>

namespace decree::rpc {

class SessionNumbers {
 public:
  // The number for a request that was not sent yet.
  uint64_t Take() {
    unanswered_.insert(unanswered_.end(), next_);
    return next_++;
  }
  // The request's answer has come, or nobody waits for it any more.
  void End(uint64_t number) { unanswered_.erase(number); }

  // The floor, to be told with every request.
  uint64_t floor() const { return unanswered_.empty() ? next_ : *unanswered_.begin(); }
  bool IsIdle() const { return unanswered_.empty(); }

 private:
  uint64_t next_ = 1;
  std::set<uint64_t> unanswered_;
};

}  // namespace decree::rpc
