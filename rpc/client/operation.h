#pragma once
// One request of the client on its way, over all its attempts. `ClientCore` moves it; what depends on the
// method, and on how it travels, is in methods.h.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <grpcpp/channel.h>

#include "decree/v1/admin.grpc.pb.h"
#include "decree/v1/kv.grpc.pb.h"
#include "rpc/client/attempt_error.h"
#include "rpc/client/client.h"
#include "rpc/client/client_loop.h"
#include "rpc/client/pipeline.h"

namespace decree::rpc {

// The stubs and the pipeline of one endpoint, over one channel.
struct EndpointLines {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::KV::Stub> kv;
  std::unique_ptr<v1::Admin::Stub> admin;
  std::unique_ptr<Pipeline> pipeline;
};

class Operation {
 public:
  // A kRepeatable one changes something, and may be sent any number of times. A kLeaderOnly one is never forwarded, and
  // not sent again once it may have been carried out.
  enum class Kind { kWrite, kRead, kStaleRead, kRepeatable, kLeaderOnly, kNodeStatus };

  Operation(Kind operation_kind, std::string what, size_t size)
      : kind(operation_kind), name(std::move(what)), bytes(size) {}
  virtual ~Operation() = default;

  bool IsWrite() const { return kind == Kind::kWrite; }
  bool IsRead() const { return kind == Kind::kRead || kind == Kind::kStaleRead; }

  // ---- What differs between the methods ----

  // Takes the operation when an attempt has ended, on the loop's thread.
  using OnAttemptEnded = std::function<void(Operation&)>;

  // Prepares each attempt, under the lock.
  virtual void Prepare(const v1::RequestHeader& header) = 0;
  // Begins the attempt, which ends at `give_up_at` at the latest. Without the lock.
  virtual void Send(const EndpointLines& lines, ClientLoop& loop) = 0;
  // Ends the attempt soon, under the lock. Does nothing if it goes by a pipeline, which is closed as a whole.
  virtual void Cancel() = 0;
  // Ends the attempt soon if it has not left this process yet. On the loop's thread, without the lock.
  virtual void Withdraw(const EndpointLines& lines) = 0;
  // Ends the operation: calls the callback, with the answer if `status` is OK.
  virtual void End(const Status& status) = 0;

  // ---- Guarded by ClientCore's lock ----

  enum class State { kNew, kWaitingForSession, kInFlight, kPausing, kParked };

  const Kind kind;
  const std::string name;  // "put", for errors
  const size_t bytes;
  uint64_t id = 0;
  Time deadline;
  State state = State::kNew;

  // The session that a write belongs to and its number there; 0: none, or none yet.
  uint64_t session = 0;
  uint64_t number = 0;

  // About the latest attempt.
  size_t endpoint = 0;
  bool asked_leader_only = false;  // The node was told not to forward.
  Time sent_at;
  Time give_up_at;
  AttemptEnd end;

  // About all attempts.
  int attempts = 0;
  int failures = 0;  // attempts that were followed by a pause
  bool was_parked = false;
  int redirects = 0;
  int silences = 0;  // attempts that were sent and not answered in time
  int renewals = 0;  // of the session
  bool may_have_run = false;
  // Why the latest attempt failed that had the time to end.
  std::optional<AttemptError> why;
  // What the latest node that was of no use said of itself: that tells more than a connection that fails.
  std::optional<AttemptError> said;
};

}  // namespace decree::rpc
