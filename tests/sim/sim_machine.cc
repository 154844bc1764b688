#include "tests/sim/sim_machine.h"

#include <utility>

#include <glog/logging.h>

#include "tests/support/simulated_file_system.h"

namespace decree::sim {
namespace {

constexpr char kStoreDirectory[] = "store";
// The smallest that LevelDB takes, so that it flushes and compacts.
constexpr kv::StoreOptions kStoreOptions{.write_buffer_bytes = 64 << 10, .block_cache_bytes = 64 << 10};

// So few that some records are forgotten.
constexpr size_t kFewBytes = 2 << 10;

}  // namespace

SimMachine::SimMachine(paxos::FileSystem& files, const std::string& owner, OnApplied on_applied)
    : files_(files), on_applied_(std::move(on_applied)) {
  CHECK(files.CreateDirectory(kStoreDirectory).ok());
  StatusOr<std::unique_ptr<kv::Store>> store = kv::Store::Open(kStoreDirectory, files_, kStoreOptions, env_);
  if (store.ok()) store_ = *std::move(store);
  env_.RunScheduled();
  if (files_.crashed()) throw paxos::SimulatedCrash();
  CHECK(store_ != nullptr) << store.status();
  StatusOr<std::unique_ptr<kv::StateMachine>> machine =
      kv::StateMachine::Open(*store_, owner, {.key_index_bytes = 0, .record_cache_bytes = kFewBytes});
  CHECK(machine.ok()) << machine.status();
  machine_ = *std::move(machine);
}

SimMachine::~SimMachine() {
  // LevelDB waits for what it has scheduled.
  env_.RunScheduled();
}

void SimMachine::Apply(std::span<const paxos::SlotCommands> slots, std::vector<paxos::CommandAnswer>* answers) {
  machine_->Apply(slots, answers);
  env_.RunScheduled();
  if (files_.crashed()) throw paxos::SimulatedCrash();
  on_applied_(slots, digest());
}

KeyReading SimMachine::ReadKey(const std::string& key) const {
  const auto view = machine_->view();
  KeyReading reading{.revision = view->state().revision, .cell = {}};
  const std::optional<kv::KeyRecord> record = view->Get(key);
  CHECK(machine_->Get(key) == record) << "key " << key << ": the cache says otherwise than the store";
  if (record.has_value()) {
    reading.cell = check::Cell{.value = record->value,
                               .create_revision = record->counters.create_revision,
                               .mod_revision = record->counters.modified.main,
                               .version = record->counters.version};
  }
  return reading;
}

WriteAnswer SimMachine::ReadAnswer(const std::string& bytes) const {
  WriteAnswer answer;
  CHECK(answer.result.ParseFromString(bytes));
  if (const std::optional<v1::KeyValue> kv = machine_->PreviousOf(answer.result)) {
    answer.previous = check::Cell{.value = kv->value(),
                                  .create_revision = kv->create_revision(),
                                  .mod_revision = kv->mod_revision(),
                                  .version = kv->version()};
  }
  return answer;
}

}  // namespace decree::sim
