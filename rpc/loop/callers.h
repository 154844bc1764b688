#pragma once
// The connections that unary calls come by. All answers to one connection share what a taker may hold.
//
// In the loop's thread.

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <grpcpp/server_context.h>

#include "rpc/loop/answer_room.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class Callers {
 public:
  class Connection {
   public:
    Connection(Callers& callers, std::string address);
    ~Connection() { callers_.connections_.erase(address_); }

    // As gRPC names it.
    const std::string& address() const { return address_; }
    AnswerRoom::Taker& taker() { return taker_; }
    // The answer to this call has been given to gRPC, or has left.
    void OnLeaving(grpc::ServerContext& call) { leaving_.insert(&call); }
    void OnLeft(grpc::ServerContext& call) { leaving_.erase(&call); }

   private:
    std::string Cancel();

    Callers& callers_;
    const std::string address_;
    std::unordered_set<grpc::ServerContext*> leaving_;
    AnswerRoom::Taker taker_;
  };

  // Both outlive all connections.
  Callers(EventLoop& loop, AnswerRoom& room) : loop_(loop), room_(room) {}

  EventLoop& loop() { return loop_; }
  // The one that the call has come by. It is known as long as somebody holds it.
  std::shared_ptr<Connection> Find(const grpc::ServerContext& call);

 private:
  EventLoop& loop_;
  AnswerRoom& room_;
  std::unordered_map<std::string, std::weak_ptr<Connection>> connections_;  // by the other end's address
};

}  // namespace decree::rpc
