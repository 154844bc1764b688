#pragma once
// What the client does with its requests: where each attempt goes, and when it is repeated. A request
// that failed on the way is repeated after a pause, until its time is up; a write without a session only if it surely
// was not carried out.
//
// One lock guards the decisions. What follows from them (sending, callbacks) is gathered in `Work`
// and done after the lock is released.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "paxos/base/random.h"
#include "rpc/client/attempt_error.h"
#include "rpc/client/client.h"
#include "rpc/client/client_loop.h"
#include "rpc/client/endpoints.h"
#include "rpc/client/methods.h"
#include "rpc/client/operation.h"
#include "rpc/client/session_numbers.h"

namespace decree::rpc {

class ClientCore {
 public:
  // `options` must be valid.
  explicit ClientCore(ClientOptions options);
  // Cancels what is under way, and waits for the callbacks.
  ~ClientCore();
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  const ClientOptions& options() const { return options_; }
  const ClientLoop& loop() const { return loop_; }

  template <typename Method>
  void Start(Operation::Kind kind, typename Method::Request request, Client::Callback<typename Method::Response> done) {
    Submit(MakeOperation<Method>(kind, std::move(request), std::move(done)));
  }
  void StartNodeStatus(size_t endpoint, Client::Callback<v1::NodeStatusResponse> done);

 private:
  using OperationPtr = std::unique_ptr<Operation>;
  // A request that is larger than any may be goes as a call of its own: if gRPC refuses it, nothing else ends with it.
  static constexpr size_t kPipelinedBytesMax = 2 << 20;
  std::unique_ptr<Pipeline> MakePipeline(const std::shared_ptr<grpc::Channel>& channel);

  struct Work {
    std::vector<Operation*> send;
    std::vector<std::pair<OperationPtr, Status>> end;
  };

  template <typename Method>
  OperationPtr MakeOperation(Operation::Kind kind, typename Method::Request request,
                             Client::Callback<typename Method::Response> done) {
    const auto on_attempt_ended = [this](Operation& operation) { OnAttemptEnded(operation); };
    if constexpr (kIsPipelined<typename Method::Request>) {
      if (request.ByteSizeLong() <= kPipelinedBytesMax) {
        return std::make_unique<PipelinedOperation<Method>>(kind, std::move(request), on_attempt_ended,
                                                            std::move(done));
      }
    }
    return std::make_unique<UnaryOperation<Method>>(kind, std::move(request), on_attempt_ended, std::move(done));
  }

  // What is known of the session that new writes belong to.
  struct Session {
    uint64_t id = 0;  // 0: there is none
    SessionNumbers numbers;
    bool has_unknown = false;  // the outcome of one of its requests is not known, and may be asked for
  };

  void Submit(OperationPtr operation);
  void OnAttemptEnded(Operation& operation);
  void OnPauseEnded(uint64_t id);
  void OnScoutDue();
  void OnParkedForLong(uint64_t id);
  // An attempt has had the time to connect to an endpoint that has not proven itself.
  void OnConnectTimePassed(uint64_t id, int attempt);
  void OnSessionOpened(const StatusOr<v1::OpenSessionResponse>& response);
  void OnSessionNotOpened(const Status& status, Work& work);
  void OnWaitedForSession(uint64_t id);
  void CloseSession();
  void AwaitAllEnded();
  // Called without the lock.
  void Do(Work& work);

  // ---- Under the lock ----

  Operation& Add(OperationPtr operation);
  void Begin(Operation& operation, Work& work);
  void Send(Operation& operation, Time now, Work& work);
  // Makes the write one of the session's; false if it must wait for a session.
  bool EnterSession(Operation& operation, Work& work);
  void OpenSession(Work& work);
  AttemptError WhyNoSession() const;
  uint64_t FloorFor(const Operation& operation) const;
  // Whether the operation goes on in another session, after its own has expired.
  bool RenewSession(Operation& operation, Work& work);
  // Whether it takes effect once, however often it is sent.
  static bool IsRepeatable(const Operation& operation);
  static bool MayBeSentAgain(const Operation& operation);
  Endpoints::Choice Choose(const Operation& operation, Time now);
  void OnFailed(Operation& operation, Work& work);
  void NoteEndpoint(const Operation& operation, const AttemptError& error, Time now);
  // How long an attempt may take.
  Duration PatienceFor(const Operation& operation, Time now) const;
  // Whether the request goes on to another endpoint at once.
  bool IsRedirected(const Operation& operation, const AttemptError& error, Time now) const;
  void Pause(Operation& operation, Work& work);
  // Whether it needs a leader, wherever it is sent.
  static bool NeedsLeader(const Operation& operation);
  // Lets the operation wait until a node is of use again.
  void Park(Operation& operation, Work& work);
  void Unpark(Work& work);
  void SetScout(Time now);
  void EndWith(Operation& operation, const AttemptError& error, Work& work);
  void End(Operation& operation, Status status, Work& work);

  const ClientOptions options_;
  std::vector<EndpointLines> lines_;

  std::mutex mutex_;
  std::condition_variable all_ended_;
  Endpoints endpoints_;
  RetryBudget budget_;
  Random random_;

  std::unordered_map<uint64_t, OperationPtr> operations_;  // By id: all that have not ended.
  Session session_;
  uint64_t opening_ = 0;                        // the operation that opens one; 0: there is none
  std::optional<AttemptError> why_no_session_;  // since there was one last: how the latest attempt ended
  std::vector<uint64_t> waiting_;               // For a session; ids.
  // The ids of the operations that wait while every node says that it is of no use; some may have ended. One after
  // another is sent as a scout; all at once would only keep the nodes from finding a leader.
  std::deque<uint64_t> parked_;
  AttemptError why_parked_;
  bool is_scout_set_ = false;
  uint64_t next_id_ = 1;
  size_t pending_bytes_ = 0;
  size_t ending_ = 0;  // Out of `operations_`, but the callback has not returned.
  bool is_closing_ = false;

  ClientLoop loop_;  // Last: its thread uses all of the above.
};

}  // namespace decree::rpc
