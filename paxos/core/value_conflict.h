#pragma once
// Two values for one slot, of which one is known here to be chosen.
//
// By itself this is no proof of anything: a late Accept of a deposed leader may carry another value, and a
// peer may be wrong. It is proof only where this node knows the *ballot* under which its value was chosen, and
// the other is proposed under a higher one: the leader of that ballot must have found the chosen value in its
// phase 1. Then votes were lost somewhere, and an acknowledged write may be gone. (Rule 10.)

#include <string>

#include "paxos/core/entry.h"
#include "paxos/core/types.h"

namespace decree::paxos {

struct ValueConflict {
  Slot slot;
  EntryPtr chosen;      // the value known here
  Ballot chosen_under;  // none: others have said that it is chosen, not under which ballot
  EntryPtr other;
  Ballot other_under;   // that it is proposed under; none: `from` says that it is chosen
  NodeId from;

  bool IsProof() const { return !chosen_under.IsNone() && other_under > chosen_under; }
};

// Who says what, with the placements of both values.
std::string Describe(const ValueConflict& conflict);

}  // namespace decree::paxos
