#pragma once
// The members of the cluster, and which quorums count: replicated state (rule 6).

#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

struct Member {
  NodeId id;
  // The formatting of the node's directory that is the member; 0: not known yet, as at the founding, when
  // nobody can know those of the others (rule 10).
  Incarnation incarnation;
  bool voter = true;
  std::string peer_address;    // host:port for other nodes
  std::string client_address;  // host:port for clients

  friend bool operator==(const Member&, const Member&) = default;
};

// For some members, the formatting of the directory that each of them is.
using Roster = std::map<NodeId, Incarnation>;

// One record of the membership, immutable once chosen. The first is made when a directory is formatted,
// the same on every node.
struct Configuration {
  std::vector<Member> members;  // in order of id, without repetition
  // Sizes of the phase-1 and phase-2 quorums; q1 + q2 > voters ("Flexible Paxos", Howard et al.).
  uint32_t q1 = 0;
  uint32_t q2 = 0;
  // L of rule 7. Zero turns leases off; linearizable reads then take a quorum round.
  Duration lease = Duration::zero();
  // How much the rates of two nodes' clocks may differ, in parts per million of the lease.
  uint32_t drift_ppm = 0;

  friend bool operator==(const Configuration&, const Configuration&) = default;

  // What is wrong with it, in words for the operator.
  Status Validate() const;

  uint32_t VoterCount() const;
  bool IsVoter(NodeId node) const;
  const Member* Find(NodeId node) const;  // null if not a member; valid while this object lives

  // The incarnations that are known.
  Roster KnownIncarnations() const;
  // Notes those of members.
  void NoteIncarnations(const Roster& roster);

  // Meets every phase-1 quorum in at least one node.
  uint32_t LeaseQuorum() const { return VoterCount() - q1 + 1; }
  // How long a leader may rely on grants of length `lease`, from its own send time.
  Duration HeldLease() const;

  // The payload of a kConfiguration entry.
  std::string Encode() const;
  static StatusOr<Configuration> Decode(std::string_view payload);
};

// Majority quorums for `voters`.
uint32_t MajorityOf(uint32_t voters);

std::ostream& operator<<(std::ostream& out, const Configuration& configuration);

}  // namespace decree::paxos
