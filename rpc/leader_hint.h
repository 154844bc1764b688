#pragma once
// Tells a client which node to ask instead.

#include "paxos/core/replica.h"
#include "rpc/failure.h"

namespace decree::rpc {

// Adds to a failure who leads. If that is not known, and might have helped, it adds that another node may know more.
void AddLeader(const paxos::Replica& replica, Failure& failure);

}  // namespace decree::rpc
