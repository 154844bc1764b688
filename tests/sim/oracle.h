#pragma once
// Sees all nodes at once and knows what must hold between them. It checks after every event, and a
// broken rule stops the program.

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "paxos/base/state_machine.h"
#include "paxos/core/protocol/message.h"
#include "paxos/core/replica.h"
#include "tests/sim/event_queue.h"

namespace decree::sim {

class Oracle {
 public:
  // `checks_leases`: that no two nodes ever hold one at once. Not to be asked of clocks that run beyond
  // the margin.
  Oracle(EventQueue& queue, bool checks_leases) : queue_(queue), checks_leases_(checks_leases) {}

  // A message leaves `sender`: what it says must be ours to say, and binds every later life of its sender.
  void OnSend(const paxos::Replica& sender, const paxos::Envelope& envelope);
  // A node has recovered from its disk, where it found these votes.
  void OnStart(const paxos::Replica& replica, const std::vector<paxos::Vote>& votes);
  // A node's state machine has taken these slots in; `digest` is over all that it ever did.
  void OnApplied(paxos::NodeId node, std::span<const paxos::SlotCommands> slots, uint64_t digest);
  // A node has handled its inputs.
  void OnStep(const paxos::Replica& replica, Time local_now, const paxos::Options& options);
  // A node was at work from now until `busy_until`, and then believes that it holds a lease until
  // `lease_until`.
  void OnLease(paxos::NodeId node, Instant busy_until, Instant lease_until);
  void OnCrash(paxos::NodeId node);
  // A node has forgotten everything. If it was a member, it must say no more than who it is.
  void OnNewDisk(paxos::NodeId node);
  // The members, as soon as any node has begun; empty before.
  const paxos::Roster& roster() const { return roster_; }

  // What the applied slots after `low` up to `high` hold, in bytes, about as they travel.
  uint64_t BytesBetween(paxos::Slot low, paxos::Slot high) const;
  // How many slots anybody has told of.
  size_t chosen() const { return chosen_.size(); }

 private:
  using SlotInBallot = std::pair<paxos::Ballot, paxos::Slot>;

  // What one node has said to others, over all its lives.
  struct Said {
    paxos::Ballot promised;
    std::map<paxos::Slot, paxos::Ballot> votes;  // of the newest slots
  };
  // How long a node believes that it holds a lease. While it is at work it may believe the old or
  // the new; what it believes in both cases counts.
  struct Belief {
    Instant busy_until;
    Instant before;
    Instant after;

    bool HoldsAt(Instant instant) const { return instant < (instant < busy_until ? std::min(before, after) : after); }
  };

  // A second value for a slot is the end. ("Paxos Made Simple", §2.1: only one value is chosen.)
  void NoteChosen(paxos::Slot slot, uint64_t fingerprint, paxos::NodeId witness);
  // All that have begun agree on who the members are: the first to begin says it for all.
  void NoteRoster(const paxos::Replica& replica);
  void NoteOwner(const paxos::Ballot& ballot, const paxos::Envelope& envelope);
  void CheckLeases();

  EventQueue& queue_;
  const bool checks_leases_;
  std::map<paxos::Slot, uint64_t> chosen_;  // the value's fingerprint
  std::map<paxos::Slot, uint64_t> bytes_;
  std::map<paxos::Slot, uint64_t> digests_;
  std::map<paxos::NodeId, Said> said_;
  std::map<paxos::Ballot, paxos::Life> owners_;
  std::map<SlotInBallot, paxos::EntryPtr> proposed_;
  std::map<paxos::NodeId, Belief> leases_;
  paxos::Roster roster_;
  std::map<paxos::NodeId, paxos::Slot> chosen_index_;  // in the present life
};

}  // namespace decree::sim
