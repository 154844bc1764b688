#pragma once
// How the request of a unary call comes in. It is read when there is room for it, as large as the last ones of its
// connection were; when it is there, it takes its place among those that this node holds, or waits for one. So a client
// that sends more than is served is read more slowly (HTTP/2's flow control), and what has come is not refused, and
// sent again, in vain.
//
// In the loop's thread.

#include <memory>
#include <string>
#include <utility>

#include "rpc/failure.h"
#include "rpc/loop/admission.h"
#include "rpc/loop/budget.h"
#include "rpc/loop/server_call.h"

namespace decree::rpc {

class UnaryReading : public ServerCall::Handler, public std::enable_shared_from_this<UnaryReading> {
 public:
  // `admission` outlives it; null if the method needs no place.
  UnaryReading(std::unique_ptr<ServerCall> wire, Admission* admission)
      : wire_(std::move(wire)), admission_(admission) {}

  void Begin();

 protected:
  // The request is there, with its place: none if there are too many requests.
  virtual void OnRequest(Admission::Place place) = 0;
  // The call has no request, or none that may be read.
  virtual void Refuse(const Failure& failure) = 0;
  virtual std::string RequestName() const = 0;

  ServerCall& wire() const { return *wire_; }

 private:
  void Read();
  void OnMessage() final;
  void OnHalfClosed() final;
  void OnWritten() final {}
  void OnGone() final;
  // Takes its place among the requests that are held, or waits for one, which is of no use where there are too many.
  void TakePlace();
  void AwaitPlace();
  void Serve(Admission::Place place);

  const std::unique_ptr<ServerCall> wire_;
  Admission* const admission_;
  Budget::Piece reading_;
};

}  // namespace decree::rpc
