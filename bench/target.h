#pragma once
// A system under load, as the benchmark sees it: requests go out, and replies come in while it is polled.
//
// Everything happens on the thread that calls; replies arrive only inside `Poll`.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/workload.h"
#include "paxos/base/status.h"
#include "paxos/base/time.h"

namespace decree::bench {

struct Request {
  Kind kind = Kind::kGet;  // kPut, kGet, kStaleGet or kSwap
  std::string key;
  std::string_view value;  // must stay only until `Start` returns
  // What a swap expects: the revision of the key's last change; 0 if there is no such key.
  uint64_t expected_revision = 0;
};

struct Reply {
  Status status;
  bool found = false;    // of a get
  bool swapped = false;  // of a swap
  // The revision of the key's last change, as this request saw it or made it.
  uint64_t revision = 0;
};

class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void OnReply(const Reply& reply) = 0;
};

struct TargetOptions {
  std::vector<std::string> endpoints;  // HOST:PORT
  size_t channels = 8;                 // connections to each endpoint
  Duration timeout = Seconds(5);       // of each request
  bool needs_leader = true;            // false: all requests are stale reads
  bool unary = false;                  // Decree only: a call for each request instead of pipelines
};

class Target {
 public:
  virtual ~Target() = default;

  // Waits until all endpoints are connected and, if one is needed, a leader is known.
  virtual Status Connect(Duration timeout) = 0;
  virtual void Start(const Request& request, Waiter& waiter) = 0;
  // Waits for replies until `until`, and takes in all there are. Returns early after any.
  virtual void Poll(Time until) = 0;
};

std::unique_ptr<Target> MakeDecreeTarget(const TargetOptions& options);
std::unique_ptr<Target> MakeEtcdTarget(const TargetOptions& options);
std::unique_ptr<Target> MakeEchoTarget(const TargetOptions& options);

}  // namespace decree::bench
