#pragma once
// The real state machine on a real LevelDB, on the simulated disk, open to the simulator's eyes.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kv/state_machine.h"
#include "paxos/base/state_machine.h"
#include "tests/support/contained_file_system.h"
#include "tests/support/history.h"
#include "tests/support/manual_env.h"

namespace decree::sim {

// What a key holds, and the revision of the store at that moment.
struct KeyReading {
  uint64_t revision = 0;
  std::optional<check::Cell> cell;
};

// How a write that was applied ended.
struct WriteAnswer {
  v1::CommandResult result;
  std::optional<check::Cell> previous;  // that the result, or the one of the request that it has settled, tells of
};

class SimMachine final : public paxos::StateMachine {
 public:
  // Called after every application of slots, with the digest that they led to.
  using OnApplied = std::function<void(std::span<const paxos::SlotCommands>, uint64_t digest)>;

  // Throws SimulatedCrash if the process ends while it opens the store.
  SimMachine(paxos::FileSystem& files, const std::string& owner, OnApplied on_applied);
  ~SimMachine() override;

  paxos::Slot applied() const override { return machine_->applied(); }
  std::string configuration() const override { return machine_->configuration(); }
  paxos::LogTime log_time() const override { return machine_->log_time(); }
  void Apply(std::span<const paxos::SlotCommands> slots, std::vector<paxos::CommandAnswer>* answers) override;

  KeyReading ReadKey(const std::string& key) const;
  // The state machine's answer to a command, as a client gets it.
  WriteAnswer ReadAnswer(const std::string& bytes) const;
  uint64_t digest() const { return machine_->state().digest; }

 private:
  check::ContainedFileSystem files_;
  check::ManualEnv env_;
  const OnApplied on_applied_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<kv::StateMachine> machine_;
};

}  // namespace decree::sim
