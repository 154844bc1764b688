// The state machine over LevelDB on this machine's disk: commands in bytes, applied in batches, and reads.

#include <benchmark/benchmark.h>
#include <glog/logging.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kv/command.h"
#include "kv/state_machine.h"
#include "paxos/base/random.h"
#include "paxos/fs/posix_file_system.h"

namespace decree::kv {
namespace {

constexpr uint64_t kKeys = 100'000;

std::string KeyAt(uint64_t key) { return StrCat("bench/", absl::Dec(key, absl::kZeroPad10)); }

std::string PutCommand(uint64_t key, const std::string& value) {
  v1::Command command;
  command.mutable_put()->set_key(KeyAt(key));
  command.mutable_put()->set_value(value);
  return command.SerializeAsString();
}

class OpenStore {
 public:
  OpenStore() {
    std::filesystem::create_directory(path_);
    auto store = Store::Open(path_, files_, StoreOptions());
    CHECK(store.ok()) << store.status();
    store_ = *std::move(store);
    auto machine = StateMachine::Open(*store_, "bench", {});
    CHECK(machine.ok()) << machine.status();
    machine_ = *std::move(machine);
  }
  ~OpenStore() {
    machine_.reset();
    store_.reset();
    std::filesystem::remove_all(path_);
  }

  StateMachine& machine() { return *machine_; }

  // Applies the commands as one slot.
  void Apply(const std::vector<std::string>& commands) {
    paxos::SlotCommands slot{.slot = paxos::Slot(machine_->applied().value() + 1),
                             .log_time = paxos::LogTime(1),
                             .commands = {commands.begin(), commands.end()},
                             .configuration = {}};
    answers_.clear();
    machine_->Apply({&slot, 1}, &answers_);
  }

 private:
  const std::string path_ = "kv_bench." + std::to_string(getpid());
  paxos::PosixFileSystem files_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<StateMachine> machine_;
  std::vector<paxos::CommandAnswer> answers_;
};

void BM_EncodeCommand(benchmark::State& state) {
  const std::string value(256, 'v');
  for (auto step : state) benchmark::DoNotOptimize(PutCommand(1, value));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_EncodeCommand);

void BM_ParseCommand(benchmark::State& state) {
  const std::string bytes = PutCommand(1, std::string(256, 'v'));
  for (auto step : state) benchmark::DoNotOptimize(ParseCommand(bytes));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ParseCommand);

// Puts of random keys; the argument is how many share a slot.
void BM_Apply(benchmark::State& state) {
  OpenStore store;
  Random random(1);
  const std::string value(256, 'v');
  std::vector<std::string> commands(static_cast<size_t>(state.range(0)));
  for (auto step : state) {
    state.PauseTiming();
    for (std::string& command : commands) command = PutCommand(random.Below(kKeys), value);
    state.ResumeTiming();
    store.Apply(commands);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Apply)->Arg(1)->Arg(64);

void BM_Get(benchmark::State& state) {
  OpenStore store;
  const std::string value(256, 'v');
  std::vector<std::string> commands;
  for (uint64_t key = 0; key < kKeys; ++key) {
    commands.push_back(PutCommand(key, value));
    if (commands.size() < 1000) continue;
    store.Apply(commands);
    commands.clear();
  }
  Random random(2);
  for (auto step : state) {
    benchmark::DoNotOptimize(store.machine().Get(KeyAt(random.Below(kKeys))));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Get);

}  // namespace
}  // namespace decree::kv

BENCHMARK_MAIN();
