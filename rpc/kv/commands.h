#pragma once
// Turns clients' requests into commands of the state machine, and checks both at the door.

#include <string>

#include "decree/v1/kv.pb.h"
#include "decree/v1/log.pb.h"
#include "paxos/base/status.h"

namespace decree::rpc {

// ---- Writes ----

// These move keys and values out of the request.
v1::Command MakeCommand(v1::PutRequest& request);
v1::Command MakeCommand(v1::DeleteRequest& request);
v1::Command MakeCommand(v1::CompareAndSwapRequest& request);
// The caller adds the owner.
v1::Command MakeCommand(v1::OpenSessionRequest& request);
v1::Command MakeCommand(v1::CloseSessionRequest& request);
// The command that settles the request.
v1::Command MakeCommand(v1::OutcomeRequest& request);

// Checks what clients send, and what other nodes forward. Errors are kInvalidArgument, with the field, the limit and
// the size.
Status Check(const v1::Command& command);

// ---- Reads ----

// The same for reads.
Status Check(const v1::GetRequest& request);
Status Check(const v1::RangeRequest& request);
Status Check(const v1::OutcomeRequest& request);

}  // namespace decree::rpc
