#pragma once
// One request of a client, whichever way it has come, and the way back for its answer.

#include <memory>
#include <utility>

#include "paxos/base/time.h"
#include "rpc/failure.h"
#include "rpc/loop/admission.h"

namespace decree::rpc {

// Handlers share it for as long as they need it.
template <typename Request, typename Response>
class Call {
 public:
  virtual ~Call() = default;

  Request& request() { return request_; }
  Response& response() { return response_; }

  // How long the caller waits for the answer; `fallback` if it did not say.
  virtual Duration TimeLeft(Duration fallback) const = 0;
  // The call has been let in, and holds its place until it is answered, or gone.
  void Hold(Admission::Place place) { place_ = std::move(place); }

  // Each call is ended once, by one of these.
  virtual void Finish() = 0;
  virtual void Fail(const Failure& failure) = 0;

 protected:
  // The answer is on its way. Whoever does not take it must not keep the others out.
  void LeavePlace() { place_ = {}; }

  Request request_;
  Response response_;

 private:
  Admission::Place place_;
};

template <typename Request, typename Response>
using CallPtr = std::shared_ptr<Call<Request, Response>>;

}  // namespace decree::rpc
