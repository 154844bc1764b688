#pragma once
// A node in memory that serves clients by a real port, in the loop and thread of those who call it.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kv/state_machine.h"
#include "paxos/node/node.h"
#include "rpc/admin/admin_service.h"
#include "rpc/admin/node_status_report.h"
#include "rpc/channel_arguments.h"
#include "rpc/failure.h"
#include "rpc/kv/kv_service.h"
#include "rpc/peer/forwarder.h"
#include "rpc/port/port.h"
#include "tests/support/core_fixture.h"
#include "tests/support/log_in_memory.h"
#include "tests/support/manual_env.h"
#include "tests/support/simulated_file_system.h"
#include "tests/unit/rpc/port/caller.h"

namespace decree::rpc {

// Keeps what is sent to peers, who do not exist.
class KeptMessages final : public paxos::Transport {
 public:
  void Send(paxos::Envelope envelope) override { sent.push_back(std::move(envelope)); }
  std::vector<paxos::Envelope> sent;
};

class ServedNode {
 public:
  // Node 1 of so many. Alone, it leads as soon as it is turned for a while.
  explicit ServedNode(uint32_t members, const Admission::Limits& limits = {}, const paxos::Options& core = {})
      : admission_(loop_, limits), log_(1, paxos::Voters(members)) {
    EXPECT_TRUE(port_.Bind().ok());
    EXPECT_TRUE(port_.Serve().ok());
    OpenMachine();
    auto node = paxos::Node::Start(core, log_, *machine_, transport_, clock_, own_.self.life, 1);
    CHECK(node.ok()) << node.status();
    node_ = *std::move(node);
    kv_ = std::make_unique<KvService>(
        loop_, port_.methods(), *node_, *machine_, forwarder_,
        KvService::Bounds{.admission = admission_, .forwarded = forwarded_, .answers = answers_});
    report_ = std::make_unique<NodeStatusReport>(Sources());
    admin_ = std::make_unique<AdminService>(loop_, port_.methods(), *node_, *report_);
    forwarder_.Open(node_->replica());
    port_.Open();
  }
  ~ServedNode() {
    kv_->Close();
    port_.StopListening();
    forwarder_.Close();
    answers_.Close();
    port_.Shutdown(std::chrono::system_clock::now());
    while (loop_.pending() > 0) Turn();
    env_.RunScheduled();
  }

  // What has come is served.
  void Turn() {
    GoRound(loop_);
    if (is_stuck) return;
    kv_->BeforeTurn();
    node_->Turn();
    env_.RunScheduled();
    kv_->AfterTurn();
    admin_->AfterTurn();
  }
  void TurnUntil(const std::function<bool()>& condition) {
    const Time limit = clock_.Now() + Seconds(20);
    while (!condition()) {
      ASSERT_LT(clock_.Now(), limit);
      Turn();
    }
  }
  // Time passes in steps, shorter than those in which a leader must be heard. `help` may answer in place of the others.
  void AwaitLeadership(const std::function<void()>& help = [] {}) {
    TurnUntil([&] {
      clock_.Pass(Milliseconds(20));
      help();
      return node_->ReadUnderLease();
    });
  }
  // From now on n2 leads, as far as this node knows.
  void Follow(uint64_t round) {
    node_->OnMessage(paxos::From(2, 1, paxos::Heartbeat{.ballot = paxos::B(round, 2), .probe = 1, .chosen_index = {}}));
    TurnUntil([this] { return node_->replica().leader() == paxos::NodeId(2); });
  }

  // While true, the node does not get its turn, as when its disk is slow.
  bool is_stuck = false;
  // Those that the server has noted.
  std::function<std::vector<std::string>()> problems = [] { return std::vector<std::string>(); };

  EventLoop& loop() { return loop_; }
  paxos::Node& node() { return *node_; }
  KvService& kv() { return *kv_; }
  Admission& admission() { return admission_; }
  Budget& answers() { return answers_; }
  KeptMessages& transport() { return transport_; }
  std::string address() const { return StrCat("127.0.0.1:", port_.number()); }

 private:
  void OpenMachine() {
    CHECK(files_.CreateDirectory("store").ok());
    auto store = kv::Store::Open("store", files_, {}, env_);
    CHECK(store.ok()) << store.status();
    store_ = *std::move(store);
    auto machine = kv::StateMachine::Open(*store_, "n1");
    CHECK(machine.ok()) << machine.status();
    machine_ = *std::move(machine);
  }
  NodeStatusReport::Sources Sources() {
    return {.clock = clock_,
            .node = *node_,
            .log = log_,
            .machine = *machine_,
            .data = "data",
            .peers_connected = [] { return 2; },
            .stale_reads = [this] { return kv_->stale_reads(); },
            .fill_clients = [](v1::NodeStatusResponse& status) { status.set_client_connections(7); },
            .problems = [this] { return problems(); }};
  }

  ShiftedClock clock_;
  const PeerIdentity own_{.cluster = "test", .self = paxos::Self(1), .founding = 42};
  EventLoop loop_{clock_};
  Budget answers_{loop_, {}};
  Admission admission_;
  Admission forwarded_{loop_, {}};
  Port port_{loop_, answers_, Port::Options{.address = "127.0.0.1:0", .message_bytes_max = kClientMessageBytesMax}};
  check::LogInMemory log_;
  paxos::SimulatedFileSystem files_{1};
  check::ManualEnv env_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<kv::StateMachine> machine_;
  KeptMessages transport_;
  Forwarder forwarder_{loop_, own_, PeerLinkOptions()};
  std::unique_ptr<paxos::Node> node_;
  std::unique_ptr<KvService> kv_;
  std::unique_ptr<NodeStatusReport> report_;
  std::unique_ptr<AdminService> admin_;
};

}  // namespace decree::rpc
