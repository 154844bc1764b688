#pragma once
// Clients' requests as commands of the state machine, and what is checked of both at the door.

#include <string>

#include "decree/v1/kv.pb.h"
#include "decree/v1/log.pb.h"
#include "paxos/base/status.h"

namespace decree::rpc {

// ---- Writes ----

// Each moves keys and values out of the request.
v1::Command MakeCommand(v1::PutRequest& request);
v1::Command MakeCommand(v1::DeleteRequest& request);
v1::Command MakeCommand(v1::CompareAndSwapRequest& request);
// The owner is to be added.
v1::Command MakeCommand(v1::OpenSessionRequest& request);
v1::Command MakeCommand(v1::CloseSessionRequest& request);
// Settles the request.
v1::Command MakeCommand(v1::OutcomeRequest& request);

// kInvalidArgument that names the field, the limit and the size. For what clients send, and what other nodes forward.
Status Check(const v1::Command& command);

// ---- Reads ----

// As above.
Status Check(const v1::GetRequest& request);
Status Check(const v1::RangeRequest& request);
Status Check(const v1::OutcomeRequest& request);

}  // namespace decree::rpc
