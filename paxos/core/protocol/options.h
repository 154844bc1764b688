#pragma once
// Every tunable of the core, with its unit and default.

#include <cstddef>

#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "paxos/core/protocol/membership.h"

namespace decree::paxos {

struct Options {
  // How often a leader shows itself and renews its lease.
  Duration heartbeat = Milliseconds(100);
  // A follower that hears nothing for a random time between these polls for an election. A leader
  // that hears no quorum for the lower one steps down.
  Duration election_timeout_min = Milliseconds(500);
  Duration election_timeout_max = Milliseconds(1000);
  // Whether this node, when it leads, serves reads under its lease. If not they take a quorum round; it
  // grants leases to others all the same.
  bool uses_lease = true;
  // How long an unanswered Accept waits before it is asked for, and a Prepare or Fetch before it is sent again.
  Duration retransmit = Milliseconds(200);
  // How long a gap may stay before it is fetched: its Accept may just be on the way.
  Duration gap_patience = Milliseconds(20);

  // A command above this is refused; it also bounds a batch, which holds at least one command.
  size_t command_bytes_max = 2 << 20;
  size_t batch_bytes_max = 1 << 20;
  // Slots proposed and not yet chosen. One makes the largest batches, which is best on few cores.
  size_t slots_in_flight_max = 1;
  // How many bytes of chosen slots a voter may lack: past it, it is sent no more Accepts unless they are
  // needed, and catches up. Else those that nobody waits for would stand in the way of those that somebody
  // does, and of what it lacks.
  size_t accept_backlog_bytes_max = 2 << 20;
  // Commands waiting for a slot; past it, proposals are refused.
  size_t pending_bytes_max = 48 << 20;
  // Linearizable reads waiting for confirmation.
  size_t pending_reads_max = 100'000;
  // Bounds the entries of one Promise page, and what is read from the log at once for a peer; one entry at
  // least.
  size_t page_bytes_max = 1 << 20;
  // Catching up: the size of an answer, of which one may always be on its way; how much may be at most (both also
  // for what an acceptor lacks and is sent again); and how long it may queue on the way, where everything else that
  // travels there waits as long.
  size_t fetch_piece_bytes = 32 << 10;
  size_t fetch_window_bytes_max = 8 << 20;
  Duration fetch_queue_target = Milliseconds(25);
  // Applied entries kept in memory for slow peers; older ones are read from the log.
  size_t tail_bytes_max = 16 << 20;
  // How far ahead of the chosen index a vote may lie, and what such votes may weigh beyond the tail.
  size_t window_slots_max = 65'536;
  size_t window_bytes_max = 32 << 20;

  // How long after its last heartbeat a node counts as heard: one or two may be lost.
  Duration HeardFor() const { return 3 * heartbeat; }

  // What is wrong, in words for the operator.
  Status Validate() const;
  // Rules that tie these to the replicated record: the lease is at most the smallest election
  // timeout (rule 8), and renewed in time.
  Status ValidateWith(const Configuration& configuration) const;
};

}  // namespace decree::paxos
