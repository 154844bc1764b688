#pragma once
// The client library: keys and values on a Decree cluster.
//
//   auto client = Client::Create({.endpoints = {"10.0.0.1:7001", "10.0.0.2:7001"}});
//   if (!client.ok()) ...
//   const StatusOr<v1::PutResponse> put = (*client)->Put("colour", "blue");
//
// The client finds the leader and repeats by itself, at another node if need be, what failed on the way, until the
// request's time is up. It does so with growing, random pauses, and under a budget that
// keeps retries from feeding an overload (retry_budget.h). While every node says that it can help nobody, one
// request after another is sent to find out, and the rest wait.
//
// Writes belong to a session, which the first of them opens; each is carried out once, however often it is sent. The
// client's end closes the session, or lets it expire if the outcome of one of its writes is still unknown. A write that
// failed may still have been carried out, or may yet be: `MayHaveHappened` tells, and so does the text. `Outcome` tells
// later what has become of it, under the session and number in `ErrorDetailOf`, as long as no further write has been
// started.
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
  // HOST:PORT of some of the nodes, or of all.
  std::vector<std::string> endpoints;
  // How long a request may take in all, retries included.
  Duration timeout = Seconds(5);
  // How long one node is given to answer, at most, before another is asked. For a request that repeats safely the nodes
  // share what is left of `timeout`. A single node is given all of it.
  Duration attempt_timeout = Seconds(2);
  // Without a session a write is sent again only if it surely was not carried out.
  bool sessions = true;
  // The mode of the blocking Get that names none. All other reads say in their request what they want.
  v1::ReadMode read = v1::READ_MODE_LINEARIZABLE;
  // How many bytes of keys and values requests without an answer may have; further ones are refused.
  size_t pending_bytes_max = 64 << 20;
  // How long an endpoint whose connection broke, or that was of no use, is left out while another works; one that does
  // not answer is left out for up to eight times as long.
  Duration broken_time = Milliseconds(1000);
  BackoffOptions backoff;
  RetryBudgetOptions retry_budget;

  // Errors are kInvalidArgument, with the option, its value and what is allowed.
  Status Validate() const;
};

// True if the request that failed with `error` may have been carried out, or may yet be.
bool MayHaveHappened(const Status& error);
// What the cluster said beside the error; empty if it said nothing.
v1::ErrorDetail ErrorDetailOf(const Status& error);

// The end of the range of all keys that begin with `prefix`; empty if it reaches to the last key.
std::string PrefixEnd(std::string prefix);

class Client {
 public:
  template <typename Response>
  using Callback = std::function<void(StatusOr<Response>)>;

  // Makes a client, which does not connect yet.
  static StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  // Ends what is under way with kCancelled; all callbacks have returned when this does. A callback must not call it.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const ClientOptions& options() const;

  // ---- Asynchronous ----
  // The callback is called once, on the client's own thread, and must not block there. It may start
  // further requests. The requests' headers are the client's to fill in.

  void Put(v1::PutRequest request, Callback<v1::PutResponse> done);
  void Get(v1::GetRequest request, Callback<v1::GetResponse> done);
  // Reads one page. For the rest, ask with `first` set to the answer's `next`, and `revision` to its revision.
  void Range(v1::RangeRequest request, Callback<v1::RangeResponse> done);
  void Delete(v1::DeleteRequest request, Callback<v1::DeleteResponse> done);
  void CompareAndSwap(v1::CompareAndSwapRequest request, Callback<v1::CompareAndSwapResponse> done);
  // Tells what has become of a write that failed. With `settle` it makes sure that the write is not carried out any
  // more.
  void Outcome(uint64_t session, uint64_t number, bool settle, Callback<v1::OutcomeResponse> done);
  // Makes the leader hand over to node `heir`, or to the most advanced of the others if that is 0.
  void TransferLeadership(uint32_t heir, Callback<v1::TransferLeadershipResponse> done);
  // Asks one node how it does, once. `endpoint` is its position in `ClientOptions::endpoints`.
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
