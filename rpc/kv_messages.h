#pragma once
// The key-value service's messages and what the state machine speaks: requests are checked at the
// door and become commands, results become answers or failures.

#include "decree/v1/kv.pb.h"
#include "decree/v1/log.pb.h"
#include "paxos/base/ids.h"
#include "paxos/base/status.h"
#include "rpc/status.h"

namespace decree::rpc {

// kInvalidArgument that names the field, the limit and the size.
Status Check(const v1::PutRequest& request);
Status Check(const v1::DeleteRequest& request);
Status Check(const v1::CompareAndSwapRequest& request);
Status Check(const v1::GetRequest& request);

v1::Command MakeCommand(const v1::PutRequest& request);
v1::Command MakeCommand(const v1::DeleteRequest& request);
v1::Command MakeCommand(const v1::CompareAndSwapRequest& request);

// `node` is the one that carried the command out. Moves out of `result`, which refuses nothing.
void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::PutResponse& response);
void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::DeleteResponse& response);
void FillResponse(paxos::NodeId node, v1::CommandResult& result,
                  v1::CompareAndSwapResponse& response);

// What the state machine's refusal means to the client.
Failure RefusalOf(const v1::CommandResult& result);

}  // namespace decree::rpc
