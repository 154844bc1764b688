#pragma once
// One request of a client, whichever way it has come, and the way back for its answer.

#include <memory>
#include <string>
#include <utility>

#include "paxos/base/time.h"
#include "rpc/failure.h"
#include "rpc/loop/admission.h"
#include "rpc/loop/budget.h"

namespace decree::rpc {

// Handlers share it for as long as they need it.
template <typename Request, typename Response>
class Call {
 public:
  virtual ~Call() = default;

  Request& request() { return request_; }
  Response& response() { return response_; }

  // The address from which the request came, as gRPC names it.
  virtual const std::string& caller() const = 0;
  // How long the caller waits for the answer; `fallback` if it did not say.
  virtual Duration TimeLeft(Duration fallback) const = 0;
  // Gives the call its place, which it holds until it is answered or gone.
  void Enter(Admission::Place place) { place_ = std::move(place); }
  bool has_place() const { return static_cast<bool>(place_); }
  // The time by which it is to be answered.
  void SetAnswerBy(Time answer_by) { answer_by_ = answer_by; }
  Time answer_by() const { return answer_by_; }

  // The party that takes the answer.
  Budget::Holder& taker() { return *taker_; }
  // Gives the call the room that its answer is going to hold.
  void Hold(Budget::Piece room) { room_ = std::move(room); }

  // Each call is ended once, by one of these.
  virtual void Finish() = 0;
  virtual void Fail(const Failure& failure) = 0;

 protected:
  // Leaves the place when the answer is on its way: a caller that does not take it must not keep others out.
  void LeavePlace() { place_ = {}; }
  // The room of the answer, which has turned out to be of this size.
  Budget::Piece TakeRoom(size_t bytes) {
    if (!room_) return taker_->Charge(bytes);
    room_.Resize(bytes);
    return std::move(room_);
  }

  Request request_;
  Response response_;
  std::shared_ptr<Budget::Holder> taker_;

 private:
  Admission::Place place_;
  Time answer_by_ = kTimeNever;
  Budget::Piece room_;
};

template <typename Request, typename Response>
using CallPtr = std::shared_ptr<Call<Request, Response>>;

}  // namespace decree::rpc
