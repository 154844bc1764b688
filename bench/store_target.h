#pragma once
// What replicated stores share as targets: a leader, which all but stale reads are sent to.

#include <cstddef>
#include <string>
#include <utility>

#include "bench/grpc_target.h"

namespace decree::bench {

class StoreTarget : public GrpcTarget {
 public:
  using GrpcTarget::GrpcTarget;

  Status Connect(Duration timeout) override;
  void Start(const Request& request, Waiter& waiter) override;

 protected:
  virtual void StartPut(const Request& request, Waiter& waiter) = 0;
  virtual void StartGet(const Request& request, Waiter& waiter) = 0;
  virtual void StartSwap(const Request& request, Waiter& waiter) = 0;
  // Asks an endpoint, for so long, whether it leads.
  virtual StatusOr<bool> Leads(size_t endpoint, Duration timeout) = 0;
  // The leader that a node has named which refused a call.
  virtual std::string LeaderNamedBy(const Call&) const { return ""; }

  // The endpoint for what the leader must carry out.
  size_t leader() const { return leader_; }
  // The endpoint that was `asked`, as leader, has refused; `named` leads, as it says.
  void OnLeaderFailed(const Status& status, const std::string& named, size_t asked);

  // Calls the stub of a channel to whoever leads, or for a stale read to whoever is next. `fill` completes
  // the reply to a call that succeeded.
  template <typename Response, typename Stubs, typename Method, typename Message, typename Fill>
  void Ask(const Stubs& stubs, Kind kind, Method method, const Message& message, Waiter& waiter, Fill fill) {
    const bool is_led = kind != Kind::kStaleGet;
    const size_t asked = leader_;
    StartCall<Response>(*stubs[is_led ? ChannelTo(asked) : AnyChannel()], method, message,
                        [this, is_led, asked, &waiter, fill = std::move(fill)](auto& call) {
                          Reply reply{.status = ToStatus(call.status)};
                          if (reply.status.ok()) {
                            fill(call.response, reply);
                          } else if (is_led) {
                            OnLeaderFailed(reply.status, LeaderNamedBy(call), asked);
                          }
                          waiter.OnReply(reply);
                        });
  }

 private:
  size_t leader_ = 0;
};

}  // namespace decree::bench
