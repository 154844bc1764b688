#pragma once
// The safety rules as code, for one replica. The simulator calls this after every step; what spans
// several nodes (one value for each slot, disjoint leases) it checks itself.

#include "paxos/core/replica.h"

namespace decree::paxos {

// Stops the process, naming what is broken. Walks over all slots in memory.
void CheckInvariants(const Replica& replica, Time now);

}  // namespace decree::paxos
