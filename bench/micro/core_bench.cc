// What the protocol itself costs: three replicas in one thread, whose messages arrive at once and whose disks
// take no time.

#include <benchmark/benchmark.h>
#include <glog/logging.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "paxos/core/replica.h"

namespace decree::paxos {
namespace {

constexpr uint32_t kNodes = 3;

class Trio {
 public:
  Trio() {
    Configuration configuration;
    for (uint32_t id = 1; id <= kNodes; ++id) {
      configuration.members.push_back({.id = NodeId(id),
                                       .incarnation = Incarnation(),
                                       .voter = true,
                                       .peer_address = StrCat("n", id, ":1"),
                                       .client_address = StrCat("n", id, ":2")});
    }
    configuration.q1 = configuration.q2 = MajorityOf(kNodes);
    configuration.lease = Milliseconds(400);
    RecoveredState recovered;
    recovered.configuration = configuration;
    for (uint32_t id = 1; id <= kNodes; ++id) {
      const Identity self{.node = NodeId(id), .incarnation = Incarnation(id), .life = Life(id)};
      replicas_.push_back(std::make_unique<Replica>(Options(), self, recovered, Random(id), now_));
    }
    while (leader_ == nullptr) Pass(Milliseconds(10));
    for (int i = 0; i < 20; ++i) Pass(Milliseconds(50));  // until leases are granted
    CHECK(leader_->role() == Role::kLeader);
  }

  // Has the leader choose so many commands as one batch, and all nodes learn of it.
  void Commit(int64_t count, const std::string& command) {
    const Slot before = leader_->chosen_index();
    for (int64_t i = 0; i < count; ++i) {
      CHECK(leader_->Propose(ProposalId(++proposals_), command, kTimeNever) == ProposeResult::kQueued);
    }
    Run(*leader_, [](Replica&, Output&) {});
    Deliver();
    CHECK(leader_->chosen_index() > before);
    // A heartbeat tells the others now and then what is chosen.
    if (++commits_ % 1024 == 0) Pass(Milliseconds(50));
  }

  void Read() {
    Run(*leader_, [this](Replica& replica, Output& out) { replica.Read(ReadId(++reads_), now_, out); });
    CHECK(granted_ == reads_);
    if (reads_ % 1024 == 0) Pass(Milliseconds(50));
  }

 private:
  void Pass(Duration duration) {
    now_ += duration;
    for (const auto& replica : replicas_) {
      if (replica->NextDeadline() <= now_) {
        Run(*replica, [this](Replica& it, Output& out) { it.OnTick(now_, out); });
      }
      if (replica->role() == Role::kLeader) leader_ = replica.get();
    }
    Deliver();
  }

  template <typename Input>
  void Run(Replica& replica, const Input& input) {
    Output out;
    input(replica, out);
    replica.Flush(now_, out);
    while (!out.messages.empty() || !out.records.empty() || !out.entries.empty() || !out.reads.empty()) {
      const Output todo = std::exchange(out, {});
      for (const Envelope& envelope : todo.messages) network_.push_back(envelope);
      if (!todo.records.empty()) replica.OnDurable(todo.records.back().ticket, now_, out);
      if (!todo.entries.empty()) replica.OnApplied(todo.entries.back().slot, now_, out);
      granted_ += todo.reads.size();
      replica.Flush(now_, out);
    }
  }

  void Deliver() {
    while (!network_.empty()) {
      const Envelope envelope = std::move(network_.front());
      network_.pop_front();
      Run(*replicas_[envelope.to.value() - 1],
          [&](Replica& replica, Output& out) { replica.OnMessage(envelope, now_, out); });
    }
  }

  Time now_{Seconds(1000)};
  std::vector<std::unique_ptr<Replica>> replicas_;
  Replica* leader_ = nullptr;
  std::deque<Envelope> network_;
  uint64_t proposals_ = 0, commits_ = 0, reads_ = 0, granted_ = 0;
};

// The commit path of all three nodes; the argument is how many commands share a slot.
void BM_Commit(benchmark::State& state) {
  Trio trio;
  const std::string command(300, 'x');
  for (auto step : state) trio.Commit(state.range(0), command);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Commit)->Arg(1)->Arg(16)->Arg(64)->Arg(256);

void BM_ReadUnderLease(benchmark::State& state) {
  Trio trio;
  for (auto step : state) trio.Read();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ReadUnderLease);

}  // namespace
}  // namespace decree::paxos

BENCHMARK_MAIN();
