#pragma once
// The connections by which a port is called, and the calls that each has open (rule 12). A call costs this node 17 to 24
// KiB as soon as it has begun, whether it goes on or not; so there may be only so many, and whoever has many open without a
// request makes room for others. All answers to unary calls of a connection share what a taker may hold.
//
// In the loop's thread.

#include <atomic>
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
    size_t calls = 5120;
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
    void OnBusy() {
      if (busy_++ == 0) *is_used_ = true;
    }
    void OnIdle() {
      if (--busy_ == 0) *is_used_ = false;
    }

   private:
    friend class Callers;

    Callers& callers_;
    const std::string address_;
    size_t calls_ = 0;
    size_t busy_ = 0;  // of them
    const std::shared_ptr<std::atomic<bool>> is_used_;
    bool is_cut_off_ = false;
    AnswerRoom::Taker taker_;
  };

  // What is done with the connection from an address.
  struct Actions {
    // Ends it, also if it takes nothing of what is being written.
    std::function<void(const std::string& address)> disconnect;
    // Where it is kept whether it is busy, for other threads.
    std::function<std::shared_ptr<std::atomic<bool>>(const std::string& address)> use_of;
    // Told what an operator should know: that there are too many calls. May be called for each of them.
    std::function<void(const std::string& problem)> note = [](const std::string&) {};
  };

  // The room outlives all connections, as this does.
  Callers(AnswerRoom& room, const Limits& limits, Actions actions)
      : room_(room), limits_(limits), actions_(std::move(actions)) {}

  // The one from there. It is known as long as somebody holds it.
  std::shared_ptr<Connection> Find(std::string address);
  // Whether its newest call may be served; if not, why.
  Status LetIn(Connection& connection);

  // That are open, but for those of connections that were cut off.
  size_t calls() const { return calls_; }
  size_t calls_max() const { return limits_.calls; }

 private:
  void NoteFull(const char* consequence) const;
  // Cuts off whoever has the most calls without a request, the newest of `newcomer` left aside. False if nobody has any.
  bool MakeRoom(const Connection& newcomer);

  AnswerRoom& room_;
  const Limits limits_;
  const Actions actions_;
  std::unordered_map<std::string, std::weak_ptr<Connection>> connections_;  // by the other end's address
  size_t calls_ = 0;
};

}  // namespace decree::rpc
