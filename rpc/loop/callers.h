#pragma once
// The connections that requests come by. All answers to unary calls of one share what a taker may hold.
//
// In the loop's thread.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

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
    // Cancelling its calls would not do: what gRPC has begun to write is held until the other end takes it.
    std::string CutOff();
    // A request has come by it, or been answered.
    void OnRequest() { ++unanswered_; }
    void OnAnswered() { --unanswered_; }
    bool is_used() const { return unanswered_ > 0; }

   private:
    Callers& callers_;
    const std::string address_;
    size_t unanswered_ = 0;
    AnswerRoom::Taker taker_;
  };

  // Ends the connection from an address, also if it takes nothing of what is being written.
  using Disconnect = std::function<void(const std::string& address)>;

  // All outlive all connections.
  Callers(EventLoop& loop, AnswerRoom& room, Disconnect disconnect)
      : loop_(loop), room_(room), disconnect_(std::move(disconnect)) {}

  EventLoop& loop() { return loop_; }
  // The one from there. It is known as long as somebody holds it.
  std::shared_ptr<Connection> Find(std::string address);
  // Whether requests wait for their answers at the connection from there.
  bool IsUsed(const std::string& address) const;

 private:
  EventLoop& loop_;
  AnswerRoom& room_;
  const Disconnect disconnect_;
  std::unordered_map<std::string, std::weak_ptr<Connection>> connections_;  // by the other end's address
};

}  // namespace decree::rpc
