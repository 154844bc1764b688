#pragma once
// One node without its threads and sockets: drives the replica, writes its records to the log,
// applies what is chosen, and keeps track of the requests that wait for it.
//
// Passive and single-threaded: an event loop feeds it, then calls `Turn`, which carries out all that
// follows: messages go out first, then the log is written and synced while they travel, then chosen
// entries are applied. The simulator drives the same object on simulated disks, clocks and networks.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "paxos/base/state_machine.h"
#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "paxos/core/protocol/command_bytes.h"
#include "paxos/core/replica.h"
#include "paxos/log/segment_log.h"
#include "paxos/node/published_state.h"
#include "paxos/node/transport.h"

namespace decree::paxos {

// How a proposed command ended.
struct ProposalEnd {
  enum class Kind {
    kApplied,     // Executed; `answer` is the state machine's.
    kNotLeader,   // Never proposed: safe to send again, to the leader if that is known.
    kOverloaded,  // Never proposed; wait a little before trying again.
    kTooLarge,    // Never proposed, and never can be.
    kDeadline,    // Never proposed; its deadline passed while it waited.
    kSuperseded,  // Proposed, but another value was chosen in its slot: it never happened.
    kUnknown,     // Proposed, and lost sight of: it may have happened, or may yet.
  };
  Kind kind = Kind::kApplied;
  std::string answer;
};

struct ReadEnd {
  bool granted = false;  // The state machine may be read now.
  RefusedRead::Reason reason = RefusedRead::Reason::kNoLeader;
};

using OnProposalEnd = std::function<void(ProposalEnd)>;
using OnReadEnd = std::function<void(ReadEnd)>;

class Node {
 public:
  // Recovers a node from its log and state machine: replays what is chosen and not yet applied.
  // All references must outlive the node. `life` and `seed` are fresh random numbers. Errors: the
  // log lacks a slot that the state machine needs, or `options` contradict the configuration.
  static StatusOr<std::unique_ptr<Node>> Start(const Options& options, SegmentLog& log, StateMachine& state_machine,
                                               Transport& transport, const Clock& clock, Life life, uint64_t seed);

  // `action` is called each time before the log is written, which takes a while: what was answered can leave by then.
  void BeforeLogWrite(std::function<void()> action) { before_log_write_ = std::move(action); }

  // ---- Inputs; each is followed, sooner or later, by a Turn ----

  void OnMessage(const Envelope& envelope);
  // `done` is called once, in this call or a later Turn. A command whose deadline passes before it
  // has a slot is dropped. `done` may call Propose and Read again, but not Turn.
  void Propose(CommandBytes command, Time deadline, OnProposalEnd done);
  // `done` is called once, in this call or a later Turn, as soon as the state machine is fresh
  // enough for a linearizable read.
  void Read(OnReadEnd done);
  // Whether the state machine may be read at once, under the lease.
  bool ReadUnderLease();
  // See Replica::TransferLeadership.
  TransferResult TransferLeadership(NodeId heir = kNoNode);

  // Does everything that has become possible. Afterwards nothing is left to do before the next
  // input or `NextDeadline`.
  void Turn();

  Time NextDeadline() const;
  // How long a change of leader may take before requests are told that something is wrong.
  Duration hand_over_max() const { return options_.election_timeout_max * 3 / 2; }
  const Replica& replica() const { return replica_; }
  // For other threads.
  const PublishedState& published() const { return published_; }
  ReadCounts read_counts() const;
  // What came up since the last call that cannot be right, for the operator; one line each, a few at most.
  std::vector<std::string> TakeProblems() { return std::exchange(problems_, {}); }
  // Changes whenever the role, the leader or the ballot does.
  uint64_t leadership_changes() const { return leadership_changes_; }

 private:
  // A command that has a slot and waits for what will be chosen there.
  struct Proposed {
    Ballot ballot;
    uint32_t index = 0;
    OnProposalEnd done;
  };

  Node(const Options& options, SegmentLog& log, StateMachine& state_machine, Transport& transport, const Clock& clock,
       const Identity& self, const RecoveredState& recovered, uint64_t seed);

  static bool IsEmpty(const Output& out);
  void Carry(Output& out);  // One round of Turn.
  void Send(std::vector<Envelope> messages);
  void NotePlacements(const std::vector<Placement>& placements);
  void Apply(const std::vector<ChosenEntry>& entries);
  void Answer(const std::vector<ChosenEntry>& entries, std::vector<CommandAnswer>& answers);
  void TellEnds(Output& out);  // Tells the waiting requests what has become of them.
  void ReadLog(const LogRead& read);
  // When this node cannot learn any more what becomes of anything.
  Time IsAloneFrom() const;
  // When what was proposed is lost sight of: also where this node leads no more, and has not learnt for long.
  Time LosesSightAt() const;
  void LoseSight();
  void NoteLeadership();
  void Publish();

  const Options options_;
  SegmentLog& log_;
  StateMachine& state_machine_;
  Transport& transport_;
  const Clock& clock_;
  Replica replica_;
  std::function<void()> before_log_write_ = [] {};

  Output out_;  // What the inputs since the last Turn have asked for.
  uint64_t next_request_ = 1;
  std::unordered_map<uint64_t, OnProposalEnd> queued_;  // by ProposalId, until it has a slot
  std::map<Slot, std::vector<Proposed>> proposed_;
  std::unordered_map<uint64_t, OnReadEnd> reading_;  // by ReadId, until granted or refused
  std::map<Slot, std::vector<OnReadEnd>> granted_;   // until applied

  std::vector<std::string> problems_;

  PublishedState published_;
  LeaseView last_published_;
  uint64_t reads_under_lease_ = 0;  // that never reached the replica

  Time led_until_ = Time::min();  // at the last Turn of its leading
  uint64_t leadership_changes_ = 0;
  std::pair<NodeId, Ballot> last_leadership_;
};

}  // namespace decree::paxos
