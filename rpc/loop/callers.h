#pragma once
// The connections by which a port is called, and the calls that each has open (rule 12). A call costs this node 17 to
// 28 KiB as soon as it has begun, whether it goes on or not. So their number is limited, and a connection that has many
// open without a request makes room for others. When they come faster than those that were cut off can be cleared away,
// nothing more is read of anybody: what waits at the sockets is dropped, with its connections. All answers to unary
// calls of a connection share the room of one holder.
//
// For the loop's thread.

#include <algorithm>
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
    size_t calls = 2560;
    // The same, with those of connections that were cut off and are not gone yet.
    size_t calls_held = 3200;
    // A client that keeps to what gRPC tells it never has so many.
    size_t calls_of_one = 1024;
    // So many of its calls do not end one after the other without a request that was served. In those few seconds for
    // which a node may be paused an honest client gives up some thousands.
    size_t unserved_of_one = 16'384;
  };

  class Connection {
   public:
    Connection(Callers& callers, std::string address);
    ~Connection();

    // The other end's address, as gRPC names it.
    const std::string& address() const { return address_; }
    // The memory that answers to unary calls hold, and that their requests hold while they are read.
    Budget::Holder& answers() { return answers_; }
    Budget::Holder& requests() { return requests_; }
    // How large the next request is, to judge by the latest since the connection had no call. As long as nothing is
    // known only a few are read at a time, but they do not wait behind others' large ones.
    size_t expected_bytes() const { return expected_bytes_.value_or(kUnknownBytes); }
    Budget::Size expected_size() const { return Budget::SizeOf(expected_bytes_.value_or(0)); }
    void NoteRequest(size_t bytes) {
      const size_t before = expected_bytes_.value_or(0);
      expected_bytes_ = std::max(bytes, before - before / 4);
    }
    // Ends the connection, and so all its calls; returns its name. Cancelling the calls would not do: gRPC holds what
    // it has begun to write until the other end takes it.
    std::string CutOff();

    // To be told of each call: it has begun, it is gone, and in between whether a request of it is being served.
    void OnCall();
    void OnCallGone();
    void OnBusy();
    void OnIdle() {
      if (--busy_ == 0) *is_used_ = false;
    }

   private:
    friend class Callers;
    // As large as requests may come. A thousand that were charged less have filled gRPC's quota.
    static constexpr size_t kUnknownBytes = 1 << 20;

    Callers& callers_;
    const std::string address_;
    size_t calls_ = 0;
    size_t busy_ = 0;      // of them
    size_t unserved_ = 0;  // calls that are gone since a request of one was served last
    const std::shared_ptr<bool> is_used_;
    bool is_known_ = false;  // some request of it was served
    bool is_cut_off_ = false;
    std::optional<size_t> expected_bytes_;
    Budget::Holder answers_;
    Budget::Holder requests_;
  };

  // The budgets for the unary calls of all connections.
  struct Budgets {
    Budget& answers;
    Budget& requests;
  };

  // What is done with the connection from an address, elsewhere.
  struct Actions {
    // Ends it, even if it takes nothing of what is being written.
    std::function<void(const std::string& address)> disconnect;
    // Where to note whether it is busy.
    std::function<std::shared_ptr<bool>(const std::string& address)> use_of;
    // Is told when the first request of a connection is being served.
    std::function<void(const std::string& address)> on_known = [](const std::string&) {};
    // Ends all connections of which something waits to be read.
    std::function<void()> drop_unread = [] {};
    // Tells the operator that there are too many calls; called for each of them.
    std::function<void(const std::string& problem)> note = [](const std::string&) {};
  };

  // The arguments, and this, outlive all connections.
  Callers(const Budgets& budgets, const Limits& limits, Actions actions)
      : budgets_(budgets), limits_(limits), actions_(std::move(actions)) {}

  // The connection from there. It is known as long as somebody holds it.
  std::shared_ptr<Connection> Find(std::string address);
  // Whether the connection's newest call may be served; if not, why.
  Status LetIn(Connection& connection);

  // How many calls are open, without those of connections that were cut off.
  size_t calls() const { return calls_; }
  size_t calls_max() const { return limits_.calls; }

 private:
  void NoteFull(const char* consequence) const;
  void DropUnreadIfTooMany();
  // Cuts off the connection with the most calls without a request, not counting the newest of `newcomer`. False if none
  // has any.
  bool MakeRoom(const Connection& newcomer);

  const Budgets budgets_;
  const Limits limits_;
  const Actions actions_;
  std::unordered_map<std::string, std::weak_ptr<Connection>> connections_;  // by the other end's address
  size_t calls_ = 0;
  size_t held_ = 0;
  size_t dropped_at_ = 0;  // how many were held when the unread was dropped last; 0: there are not too many
};

}  // namespace decree::rpc
