#pragma once
// Who belongs to the cluster, and which quorums count: replicated state (rule 6).

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "paxos/core/types.h"

namespace decree::paxos {

struct Member {
  NodeId id;
  // None (0) until the configuration is sealed.
  Incarnation incarnation;
  bool voter = true;
  std::string peer_address;    // host:port for other nodes
  std::string client_address;  // host:port for clients, also used to forward requests

  friend bool operator==(const Member&, const Member&) = default;
};

// One record of the membership, immutable once chosen.
//
// A cluster begins with a *founding* configuration, the same on every node, written when its
// directory is formatted. It cannot name the incarnations, which each node draws for itself. So
// while it governs, every quorum is all of the voters, and the first thing the cluster chooses, in
// slot 1, is the *sealed* configuration: the same members with the incarnation that each has shown.
// A node that is formatted twice before that cannot harm, because one that was not still answers.
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
  bool IsSealed() const;

  uint32_t VoterCount() const;
  bool IsVoter(NodeId node) const;
  const Member* Find(NodeId node) const;  // null if not a member; valid while this object lives

  uint32_t Phase1Quorum() const { return IsSealed() ? q1 : VoterCount(); }
  uint32_t Phase2Quorum() const { return IsSealed() ? q2 : VoterCount(); }
  // Meets every phase-1 quorum in at least one node.
  uint32_t LeaseQuorum() const { return VoterCount() - Phase1Quorum() + 1; }
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
