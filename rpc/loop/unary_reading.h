#pragma once
// How the request of a unary call comes in. It is read when there is room for it, judged by the size of its
// connection's latest ones. When it is there, it takes a place among those that this node holds, or waits for one. So a
// client that sends more than can be served is read more slowly (HTTP/2's flow control), and nothing that has come is
// refused only to be sent again.
//
// For the loop's thread.

#include <memory>
#include <string>
#include <utility>

#include "rpc/channel_arguments.h"
#include "rpc/failure.h"
#include "rpc/loop/admission.h"
#include "rpc/loop/budget.h"
#include "rpc/loop/server_call.h"

namespace decree::rpc {

class UnaryReading : public ServerCall::Handler, public std::enable_shared_from_this<UnaryReading> {
 public:
  // `admission` outlives it, and is null if the method needs no place.
  UnaryReading(std::unique_ptr<ServerCall> wire, Admission* admission)
      : wire_(std::move(wire)), admission_(admission) {}

  void Begin();

 protected:
  // The request is there, with its place; without one if there are too many requests.
  virtual void OnRequest(Admission::Place place) = 0;
  // The call has no request, or none that can be read.
  virtual void Refuse(const Failure& failure) = 0;
  virtual std::string RequestName() const = 0;

  ServerCall& wire() const { return *wire_; }
  // A request that needs no place is counted nowhere, and has to be small.
  size_t request_bytes_max() const { return admission_ == nullptr ? kSmallRequestBytes : kClientMessageBytesMax; }

 private:
  void Read();
  void OnMessage() final;
  void OnHalfClosed() final;
  void OnWritten() final {}
  void OnGone() final;
  // Takes a place among the requests that are held, or waits for one, which is of no use when there are too many.
  void TakePlace();
  void AwaitPlace();
  void Serve(Admission::Place place);

  const std::unique_ptr<ServerCall> wire_;
  Admission* const admission_;
  Budget::Piece reading_;
};

}  // namespace decree::rpc
