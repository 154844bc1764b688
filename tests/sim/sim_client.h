#pragma once
// A client of the simulated cluster: a few lanes, each with one operation under way at a time, on
// keys that all clients share. It writes down what it asked and what it was told.
//
// It sends a read again until it is answered or out of patience; a write too if it belongs to a session,
// else only if it is known not to have been proposed. What it gives up within a session it may settle:
// then it knows how that ended. Copies of what it has sent arrive much later, and must change nothing.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decree/v1/log.pb.h"
#include "paxos/base/random.h"
#include "rpc/client/session_numbers.h"
#include "tests/sim/sim_node.h"
#include "tests/support/history.h"

namespace decree::sim {

using Nodes = std::vector<std::unique_ptr<SimNode>>;

// What clients have seen of the keys, for them to compare with.
using SeenCells = std::map<std::string, check::Cell>;

// Keys that only ever count up by one: the version of the one, the number in the other.
inline constexpr char kCountedByPuts[] = "counted by puts";
inline constexpr char kCountedBySwaps[] = "counted by swaps";

class SimClient {
 public:
  // References must outlive the client.
  SimClient(World& world, Nodes& nodes, SeenCells& seen, uint32_t id, bool uses_sessions, Random random);

  void Begin();
  // Begins no further operation.
  void Stop() { stopped_ = true; }
  bool IsQuiet() const { return active_ == 0; }

  // Reads a key, or writes one; `done` is called when it is answered, however often that takes.
  void ReadAtLast(const std::string& key, std::function<void()> done);
  void WriteAtLast(const std::string& key, std::function<void()> done);

 private:
  // The session that new writes belong to.
  struct Session {
    uint64_t id = 0;  // 0: there is none
    rpc::SessionNumbers numbers;
  };
  // A command on its way until it is answered, outside of the history.
  struct Errand {
    v1::Command command;
    Instant give_up;
    bool finished = false;
    std::function<void(const WriteAnswer*)> done;  // null: no answer in time
  };
  using ErrandPtr = std::shared_ptr<Errand>;
  // An operation and what is known of its attempts.
  struct Call {
    size_t entry = 0;  // in the history
    v1::Command command;
    Instant give_up;
    uint32_t attempt = 0;          // the newest
    bool may_be_proposed = false;  // some attempt was lost sight of
    bool is_settled = false;       // the log has said that it never was and never will be carried out
    bool finished = false;
    bool is_at_last = false;  // it tells whether the cluster goes on without faults
    std::function<void(bool answered)> done;
  };
  using CallPtr = std::shared_ptr<Call>;

  void NextOperation();
  // Bytes that are no command must change nothing, at all replicas alike.
  void SendMalformed();
  void Draw(check::Operation& operation, v1::Command& command);
  void DrawSwap(const std::string& key, check::Operation& operation, v1::Command& command);
  void DrawCount(check::Operation& operation, v1::Command& command);
  std::string DrawKey();
  std::string NewValue();

  void Start(const CallPtr& call);
  void Attempt(const CallPtr& call);
  void OnTimeout(const CallPtr& call, uint32_t attempt);
  // The newest attempt came to nothing and never will: tries again a little later.
  void Retry(const CallPtr& call, uint32_t attempt);
  void GiveUp(const CallPtr& call);
  void EndUnanswered(const CallPtr& call);
  void Finish(const CallPtr& call, bool answered);

  // ---- Sessions ----

  bool IsInSession(const Call& call) const { return call.command.session() != 0; }
  // Makes the write one of the session's, once there is one, and sends it.
  void StartInSession(const CallPtr& call);
  void OpenSession();
  void OnSessionOpened(const WriteAnswer* answer);
  void CloseSession();
  void OnSessionUnknown(const CallPtr& call);
  void Settle(const CallPtr& call);
  void OnSettled(const CallPtr& call, const WriteAnswer* answer);
  // Another copy of the write, that has been on its way for long. `result`: how it ended, if known.
  void ReplayLater(const Call& call, const v1::CommandResult* result);
  void ExpectReplay(const v1::CommandResult& replayed, const std::optional<std::string>& first);
  void Run(const ErrandPtr& errand);

  void SendWrite(const CallPtr& call, SimNode& node);
  void SendRead(const CallPtr& call, SimNode& node);
  void TraceEnd(const Call& call, uint32_t attempt, paxos::ProposalEnd::Kind kind);
  void OnNoResult(const CallPtr& call, uint32_t attempt, paxos::ProposalEnd::Kind kind);
  void OnResult(const CallPtr& call, uint32_t attempt, const WriteAnswer& answer);
  // The state machine has judged the write, in this attempt or before.
  void OnEnd(const CallPtr& call, const v1::CommandResult& result, const std::optional<check::Cell>& previous);
  void OnReading(const CallPtr& call, const KeyReading& reading, uint64_t process);
  // Carries an answer from a node to this client; it may be lost.
  void Return(SimNode& node, std::function<void()> deliver);

  SimNode& PickNode();
  void NoteLeader(const paxos::Node& process);
  CallPtr NewCall(check::Operation operation, Duration patience);
  check::Operation& EntryOf(const Call& call) { return world_.history[call.entry]; }
  int64_t Now() const { return world_.queue.now().time_since_epoch().count(); }

  World& world_;
  Nodes& nodes_;
  SeenCells& seen_;
  const uint32_t id_;
  Random random_;
  uint64_t next_value_ = 1;
  size_t preferred_ = 0;  // the node that seems to lead
  const bool uses_sessions_;
  Session session_;
  bool is_opening_ = false;
  std::vector<CallPtr> waiting_;  // for a session
  uint32_t active_ = 0;
  bool stopped_ = false;
};

}  // namespace decree::sim
