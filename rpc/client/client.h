#pragma once
// The client library: keys and values on a Decree cluster.
//
//   auto client = Client::Create({.endpoints = {"10.0.0.1:7001", "10.0.0.2:7001"}});
//   if (!client.ok()) ...
//   const StatusOr<v1::PutResponse> put = (*client)->Put("colour", "blue");
//
// The client finds the leader, and repeats by itself what failed on the way, at another node if need
// be, until the request's time is up. It does so with growing, random pauses, and under a budget that
// keeps retries from feeding an overload (retry_budget.h). While every node says that it can help nobody, one
// request after another is sent to find out, and the rest wait.
//
// Writes belong to a session, which the first of them opens and the client's end closes: each is
// carried out once, however often it is sent. A write that failed may still have been carried out, or
// may yet be: `MayHaveHappened` tells, and so does the text. `Outcome` tells later what has become of
// it, under the session and number in `ErrorDetailOf`, as long as no further write has been started.
//
// Safe from any thread. The blocking calls are for threads of yours, not for callbacks.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "decree/v1/admin.pb.h"
#include "decree/v1/kv.pb.h"
#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "rpc/client/backoff.h"
#include "rpc/client/retry_budget.h"

namespace decree::rpc {

class ClientCore;

struct ClientOptions {
  // HOST:PORT of each node; any of them, or all.
  std::vector<std::string> endpoints;
  // What a request may take in all, retries included.
  Duration timeout = Seconds(5);
  // How long one node is given to answer before another is asked, at most: of what repeats safely the nodes share
  // what is left of `timeout`.
  Duration attempt_timeout = Seconds(2);
  // Without a session a write is sent again only if it surely was not carried out.
  bool sessions = true;
  // For Get without a mode.
  v1::ReadMode read = v1::READ_MODE_LINEARIZABLE;
  // Keys and values of requests without an answer; what comes beyond is refused.
  size_t pending_bytes_max = 64 << 20;
  // How long an endpoint is left out, while another works, whose connection broke or that was of no use; one that
  // does not answer for up to eight times as long.
  Duration broken_time = Milliseconds(1000);
  BackoffOptions backoff;
  RetryBudgetOptions retry_budget;

  // kInvalidArgument with the option, its value and what is allowed.
  Status Validate() const;
};

// True if the request that failed with `error` may have been carried out, or may yet be.
bool MayHaveHappened(const Status& error);
// What the cluster said beside the error; empty if nothing.
v1::ErrorDetail ErrorDetailOf(const Status& error);

// The end of the range of all keys that begin with `prefix`; empty if it reaches to the last key.
std::string PrefixEnd(std::string prefix);

class Client {
 public:
  template <typename Response>
  using Callback = std::function<void(StatusOr<Response>)>;

  // Connects to nothing yet.
  static StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  // Ends what is under way with kCancelled; all callbacks have returned when this does. Not to be
  // called by a callback.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const ClientOptions& options() const;

  // ---- Asynchronous ----
  // The callback is called once, on the client's own thread, and must not block there. It may start
  // further requests. The requests' headers are the client's to fill in.

  void Put(v1::PutRequest request, Callback<v1::PutResponse> done);
  void Get(v1::GetRequest request, Callback<v1::GetResponse> done);
  // One page. The rest: with `first` set to the answer's `next`, and `revision` to its revision.
  void Range(v1::RangeRequest request, Callback<v1::RangeResponse> done);
  void Delete(v1::DeleteRequest request, Callback<v1::DeleteResponse> done);
  void CompareAndSwap(v1::CompareAndSwapRequest request, Callback<v1::CompareAndSwapResponse> done);
  // What has become of a write that failed. `settle`: sees to it that it is not carried out any more.
  void Outcome(uint64_t session, uint64_t number, bool settle, Callback<v1::OutcomeResponse> done);
  // Makes the leader hand over to node `heir`, or, if that is 0, to the most advanced of the others.
  void TransferLeadership(uint32_t heir, Callback<v1::TransferLeadershipResponse> done);
  // Asks one node, once.
  void NodeStatus(size_t endpoint, Callback<v1::NodeStatusResponse> done);

  // ---- Blocking ----

  StatusOr<v1::PutResponse> Put(std::string key, std::string value);
  StatusOr<v1::GetResponse> Get(std::string key);
  StatusOr<v1::GetResponse> Get(std::string key, v1::ReadMode read);
  StatusOr<v1::RangeResponse> Range(v1::RangeRequest request);
  StatusOr<v1::DeleteResponse> Delete(std::string key);
  StatusOr<v1::CompareAndSwapResponse> CompareAndSwap(v1::CompareAndSwapRequest request);
  StatusOr<v1::OutcomeResponse> Outcome(uint64_t session, uint64_t number, bool settle);
  StatusOr<v1::TransferLeadershipResponse> TransferLeadership(uint32_t heir);
  StatusOr<v1::NodeStatusResponse> NodeStatus(size_t endpoint);

 private:
  explicit Client(ClientOptions options);

  const std::unique_ptr<ClientCore> core_;
};

}  // namespace decree::rpc
