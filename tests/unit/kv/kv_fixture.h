#pragma once
// A state machine on a simulated disk, and commands for it.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kv/state_machine.h"
#include "tests/support/contained_file_system.h"
#include "tests/support/manual_env.h"
#include "tests/support/simulated_file_system.h"

namespace decree::kv {

inline constexpr char kStorePath[] = "store";
inline constexpr char kOwner[] = "n1";

inline std::string PutCommand(const std::string& key, const std::string& value, bool return_previous = false) {
  v1::Command command;
  command.mutable_put()->set_key(key);
  command.mutable_put()->set_value(value);
  command.mutable_put()->set_return_previous(return_previous);
  return command.SerializeAsString();
}

inline std::string DeleteCommand(const std::string& key, bool return_previous = false) {
  v1::Command command;
  command.mutable_delete_()->set_key(key);
  command.mutable_delete_()->set_return_previous(return_previous);
  return command.SerializeAsString();
}

inline v1::Command SwapCommand(const std::string& key, const std::string& value) {
  v1::Command command;
  command.mutable_compare_and_swap()->set_key(key);
  command.mutable_compare_and_swap()->set_value(value);
  return command;
}

// The command of a session, under a number, with the floor.
inline std::string InSession(uint64_t session, uint64_t number, uint64_t floor, const std::string& bytes) {
  v1::Command command;
  CHECK(command.ParseFromString(bytes));
  command.set_session(session);
  command.set_number(number);
  command.set_first_unanswered(floor);
  return command.SerializeAsString();
}

inline std::string OpenSessionCommand(const std::string& owner = "somebody", const SessionLimits& limits = {}) {
  v1::Command command;
  command.mutable_open_session()->set_owner(owner);
  *command.mutable_open_session()->mutable_limits() = ToWire(limits);
  return command.SerializeAsString();
}

inline std::string CloseSessionCommand(uint64_t session) {
  v1::Command command;
  command.mutable_close_session();
  command.set_session(session);
  return command.SerializeAsString();
}

inline std::string SettleCommand(uint64_t session, uint64_t number) {
  v1::Command command;
  command.mutable_settle();
  return InSession(session, number, 1, command.SerializeAsString());
}

// So few that some records are forgotten.
inline constexpr size_t kFewBytes = 2 << 10;

// A store on its own, without a state machine.
class BareStoreTest : public testing::Test {
 protected:
  BareStoreTest() {
    CHECK(files_.CreateDirectory(kStorePath).ok());
    auto store = Store::Open(kStorePath, files_, {}, env_);
    CHECK(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  ~BareStoreTest() override { env_.RunScheduled(); }

  paxos::SimulatedFileSystem files_{1};
  check::ManualEnv env_;
  std::unique_ptr<Store> store_;
};

// What one process has open. Closed in the right order; what LevelDB has scheduled is run before.
class OpenStore {
 public:
  explicit OpenStore(
      paxos::FileSystem& files, std::function<void()> before_change = [] {}, const std::string& owner = kOwner)
      : files_(files, std::move(before_change)) {
    CHECK(files.CreateDirectory(kStorePath).ok());
    // The smallest that LevelDB takes, so that it flushes.
    auto store = Store::Open(kStorePath, files_, {.write_buffer_bytes = 64 << 10}, env_);
    CHECK(store.ok()) << store.status();
    store_ = *std::move(store);
    auto machine = StateMachine::Open(*store_, owner, {.key_index_bytes = 0, .record_cache_bytes = kFewBytes});
    CHECK(machine.ok()) << machine.status();
    machine_ = *std::move(machine);
  }
  ~OpenStore() {
    env_.RunScheduled();
    machine_.reset();
    store_.reset();
  }

  StateMachine& machine() { return *machine_; }
  Store& store() { return *store_; }

  // The log time of the slots to come.
  paxos::LogTime log_time;

  // Applies one slot with these commands.
  std::vector<v1::CommandResult> Apply(const std::vector<std::string>& commands) {
    paxos::SlotCommands slot{.slot = machine_->applied().Next(), .log_time = log_time};
    slot.commands.assign(commands.begin(), commands.end());
    std::vector<paxos::CommandAnswer> answers;
    machine_->Apply({&slot, 1}, &answers);
    env_.RunScheduled();
    std::vector<v1::CommandResult> results;
    for (const paxos::CommandAnswer& answer : answers) {
      results.emplace_back();
      CHECK(results.back().ParseFromString(answer.bytes));
    }
    return results;
  }
  v1::CommandResult ApplyOne(const std::string& command) { return Apply({command}).at(0); }
  // The value that the result tells of.
  std::string PreviousOf(const v1::CommandResult& result) {
    const std::optional<v1::KeyValue> previous = machine_->PreviousOf(result);
    return previous.has_value() ? previous->value() : "(none)";
  }

  std::string ValueOf(const std::string& key) {
    const std::optional<KeyRecord> head = machine_->Get(key);
    CHECK(head == machine_->view()->Get(key)) << key;
    return head.has_value() ? head->value : "(none)";
  }

 private:
  check::ContainedFileSystem files_;
  check::ManualEnv env_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<StateMachine> machine_;
};

}  // namespace decree::kv
