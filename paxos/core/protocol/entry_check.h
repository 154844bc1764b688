#pragma once
// What an entry must look like for every node to be able to act on it once it is chosen.

#include "paxos/base/status.h"
#include "paxos/core/protocol/entry.h"

namespace decree::paxos {

// kInvalidArgument with what is wrong.
Status CheckEntry(const Entry& entry);

}  // namespace decree::paxos
