#pragma once
// Two values for one slot, of which one is known here to be chosen.
//
// By itself this is no proof of anything: a late Accept of a deposed leader may carry another value, and a
// peer may be wrong. It is proof in two cases. Either this node knows the *ballot* under which its value was
// chosen, and the other is proposed under a higher one: the leader of that ballot must have found the chosen value
// in its phase 1. Or the leader that proposes the other announces later, under the same ballot, that the slot is
// chosen: what it has in its own slots it has proposed itself. Then votes were lost somewhere, and an acknowledged
// write may be gone. (Rules 4 and 10.)

#include <string>

#include "paxos/base/planted_bug.h"
#include "paxos/core/protocol/entry.h"
#include "paxos/core/protocol/types.h"

namespace decree::paxos {

struct ValueConflict {
  Slot slot;
  EntryPtr chosen;      // the value known here
  Ballot chosen_under;  // none: others have said that it is chosen, not under which ballot
  EntryPtr other;
  Ballot other_under;  // that it is proposed under; none: `from` says that it is chosen
  NodeId from;
  bool is_announced = false;  // by the leader that proposed the other value: the slot is chosen under its ballot

  bool IsProof() const {
    if (IsPlanted(PlantedBug::kRefusedValueIsProof)) return true;
    return is_announced || (!chosen_under.IsNone() && other_under > chosen_under);
  }
};

// What each side says, with the placements of both values.
std::string Describe(const ValueConflict& conflict);

}  // namespace decree::paxos
