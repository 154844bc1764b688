#pragma once
// A client of the simulated cluster: a few lanes, each with one operation under way at a time, on
// keys that all clients share. It writes down what it asked and what it was told.
//
// It sends a read again until it is answered or out of patience, and a write only if it is known not to
// have been proposed.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decree/v1/log.pb.h"
#include "paxos/base/random.h"
#include "tests/sim/sim_node.h"
#include "tests/support/history.h"

namespace decree::sim {

using Nodes = std::vector<std::unique_ptr<SimNode>>;

// What clients have seen of the keys, for them to compare with.
using SeenCells = std::map<std::string, check::Cell>;

class SimClient {
 public:
  // References must outlive the client.
  SimClient(World& world, Nodes& nodes, SeenCells& seen, uint32_t id, Random random);

  void Begin();
  // Begins no further operation.
  void Stop() { stopped_ = true; }
  bool IsQuiet() const { return active_ == 0; }

  // Reads a key, or writes one; `done` is called when it is answered, however often that takes.
  void ReadAtLast(const std::string& key, std::function<void()> done);
  void WriteAtLast(const std::string& key, std::function<void()> done);

 private:
  // An operation and what is known of its attempts.
  struct Call {
    size_t entry = 0;  // in the history
    v1::Command command;
    Instant give_up;
    uint32_t attempt = 0;         // the newest
    bool may_be_proposed = false;  // some attempt was lost sight of
    bool finished = false;
    std::function<void(bool answered)> done;
  };
  using CallPtr = std::shared_ptr<Call>;

  void NextOperation();
  // Bytes that are no command must change nothing, at all replicas alike.
  void SendMalformed();
  void Draw(check::Operation& operation, v1::Command& command);
  void DrawSwap(const std::string& key, check::Operation& operation, v1::Command& command);
  std::string DrawKey();
  std::string NewValue();

  void Start(const CallPtr& call);
  void Attempt(const CallPtr& call);
  void OnTimeout(const CallPtr& call, uint32_t attempt);
  // The newest attempt came to nothing and never will: tries again a little later.
  void Retry(const CallPtr& call, uint32_t attempt);
  void GiveUp(const CallPtr& call);
  void Finish(const CallPtr& call, bool answered);

  void SendWrite(const CallPtr& call, SimNode& node);
  void SendRead(const CallPtr& call, SimNode& node);
  void OnOutcome(const CallPtr& call, uint32_t attempt, const paxos::Outcome& outcome);
  void OnResult(const CallPtr& call, const v1::CommandResult& result);
  void OnReading(const CallPtr& call, const KeyReading& reading, uint64_t process);
  // Carries an answer from a node to this client; it may be lost.
  void Return(SimNode& node, std::function<void()> deliver);

  SimNode& PickNode();
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
  uint32_t active_ = 0;
  bool stopped_ = false;
};

}  // namespace decree::sim
