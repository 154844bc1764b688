#pragma once
// The connections by which a port is called, and the calls that each has open (rule 12). A call costs this node 17 to
// 24 KiB as soon as it has begun, whether it goes on or not; so there may be only so many, and whoever has many open
// without a request makes room for others. All answers to unary calls of a connection share what a taker may hold.
//
// In the loop's thread.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "paxos/base/status.h"
#include "rpc/loop/budget.h"

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
    // What answers to unary calls hold of this node's memory, and what their requests do while they are read.
    Budget::Holder& answers() { return answers_; }
    Budget::Holder& requests() { return requests_; }
    // How large the next request is, to judge by the last ones since it had no call. As long as nothing is known, only
    // a few are read at a time, but they do not wait behind others' large ones.
    size_t expected_bytes() const { return expected_bytes_.value_or(kUnknownBytes); }
    Budget::Size expected_size() const { return Budget::SizeOf(expected_bytes_.value_or(0)); }
    void NoteRequest(size_t bytes) {
      const size_t before = expected_bytes_.value_or(0);
      expected_bytes_ = std::max(bytes, before - before / 4);
    }
    // Ends it, and so all its calls; returns its name. Cancelling them would not do: what gRPC has begun to write is
    // held until the other end takes it.
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
    static constexpr size_t kUnknownBytes = 256 << 10;

    Callers& callers_;
    const std::string address_;
    size_t calls_ = 0;
    size_t busy_ = 0;  // of them
    const std::shared_ptr<std::atomic<bool>> is_used_;
    bool is_cut_off_ = false;
    std::optional<size_t> expected_bytes_;
    Budget::Holder answers_;
    Budget::Holder requests_;
  };

  // For the unary calls of all connections.
  struct Budgets {
    Budget& answers;
    Budget& requests;
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

  // The budgets outlive all connections, as this does.
  Callers(const Budgets& budgets, const Limits& limits, Actions actions)
      : budgets_(budgets), limits_(limits), actions_(std::move(actions)) {}

  // The one from there. It is known as long as somebody holds it.
  std::shared_ptr<Connection> Find(std::string address);
  // Whether its newest call may be served; if not, why.
  Status LetIn(Connection& connection);

  // That are open, but for those of connections that were cut off.
  size_t calls() const { return calls_; }
  size_t calls_max() const { return limits_.calls; }

 private:
  void NoteFull(const char* consequence) const;
  // Cuts off whoever has the most calls without a request, the newest of `newcomer` left aside. False if nobody has
  // any.
  bool MakeRoom(const Connection& newcomer);

  const Budgets budgets_;
  const Limits limits_;
  const Actions actions_;
  std::unordered_map<std::string, std::weak_ptr<Connection>> connections_;  // by the other end's address
  size_t calls_ = 0;
};

}  // namespace decree::rpc
