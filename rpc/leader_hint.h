#pragma once
// Whom a client is told to ask instead.

#include "paxos/core/replica.h"
#include "rpc/failure.h"

namespace decree::rpc {

// Adds to a failure who leads; if that is not known, and might have helped, that another node may know more.
void AddLeader(const paxos::Replica& replica, Failure& failure);

}  // namespace decree::rpc
