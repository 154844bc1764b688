#pragma once
// The numbers of the protocol and their order.

#include <compare>
#include <cstdint>
#include <ostream>

#include "paxos/base/ids.h"
#include "paxos/base/strong_int.h"

namespace decree::paxos {

// Stands for a batch of records; tickets complete in the order in which they were given out.
using Ticket = StrongInt<struct TicketTag, uint64_t>;
// Drawn at random when a data directory is formatted, never 0. A node that lost its disk and was
// formatted anew has another one, and is not the member that it was (rule 10).
using Incarnation = StrongInt<struct IncarnationTag, uint64_t>;
// Drawn at random when a process starts, never 0. An answer to another life is dropped (rule 5).
using Life = StrongInt<struct LifeTag, uint64_t>;
// Names a client's command between Propose and its placement; chosen by the caller.
using ProposalId = StrongInt<struct ProposalIdTag, uint64_t>;
// Names a read between Read and its grant; chosen by the caller.
using ReadId = StrongInt<struct ReadIdTag, uint64_t>;

// A proposal number: (round, node), ordered, never used twice (rule 1). Round 0 is "none".
struct Ballot {
  uint64_t round = 0;
  NodeId node;

  bool IsNone() const { return round == 0; }
  friend auto operator<=>(const Ballot&, const Ballot&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Ballot& ballot) {
  return out << ballot.round << '.' << ballot.node;
}

// No round is above this: what is near it was never reached by elections (number_check.h).
inline constexpr uint64_t kRoundMax = uint64_t{1} << 62;

// The identity of this process.
struct Identity {
  NodeId node;
  Incarnation incarnation;
  Life life;
};

enum class Role { kFollower, kCandidate, kLeader };

constexpr const char* RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "?";
}

}  // namespace decree::paxos
