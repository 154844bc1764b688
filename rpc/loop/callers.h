#pragma once
// The connections by which a port is called, and the calls that each has open (rule 12). A call costs this node some 17 KiB
// as soon as it has begun, whether it goes on or not; so there may be only so many, and whoever has many open without a
// request makes room for others. All answers to unary calls of a connection share what a taker may hold.
//
// In the loop's thread.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "paxos/base/status.h"
#include "rpc/loop/answer_room.h"

namespace decree::rpc {

class Callers {
 public:
  struct Limits {
    size_t calls = 8192;
    // Nobody who keeps to what gRPC tells him has so many.
    size_t calls_of_one = 1024;
  };

  class Connection {
   public:
    Connection(Callers& callers, std::string address);
    ~Connection();

    // As gRPC names it.
    const std::string& address() const { return address_; }
    AnswerRoom::Taker& taker() { return taker_; }
    // Ends it, and so all its calls; returns its name. Cancelling them would not do: what gRPC has begun to write is held
    // until the other end takes it.
    std::string CutOff();

    // Of each call: it has begun, it is gone, and in between a request of it is served, or none.
    void OnCall();
    void OnCallGone();
    void OnBusy() { ++busy_; }
    void OnIdle() { --busy_; }
    bool is_used() const { return busy_ > 0; }

   private:
    friend class Callers;

    Callers& callers_;
    const std::string address_;
    size_t calls_ = 0;
    size_t busy_ = 0;  // of them
    bool is_cut_off_ = false;
    AnswerRoom::Taker taker_;
  };

  // Ends the connection from an address, also if it takes nothing of what is being written.
  using Disconnect = std::function<void(const std::string& address)>;

  // The room outlives all connections, as this does.
  Callers(AnswerRoom& room, const Limits& limits, Disconnect disconnect)
      : room_(room), limits_(limits), disconnect_(std::move(disconnect)) {}

  // The one from there. It is known as long as somebody holds it.
  std::shared_ptr<Connection> Find(std::string address);
  // Whether its newest call may be served; if not, why.
  Status LetIn(Connection& connection);
  // Whether requests are served at the connection from there.
  bool IsUsed(const std::string& address) const;

  // That are open, but for those of connections that were cut off.
  size_t calls() const { return calls_; }

 private:
  // Cuts off whoever has the most calls without a request, the newest of `newcomer` left aside. False if nobody has any.
  bool MakeRoom(const Connection& newcomer);

  AnswerRoom& room_;
  const Limits limits_;
  const Disconnect disconnect_;
  std::unordered_map<std::string, std::weak_ptr<Connection>> connections_;  // by the other end's address
  size_t calls_ = 0;
};

}  // namespace decree::rpc
