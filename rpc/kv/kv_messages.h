#pragma once
// The key-value service's messages and what the state machine speaks: requests are checked at the
// door and become commands, results become answers or failures.

#include "decree/v1/kv.pb.h"
#include "decree/v1/log.pb.h"
#include "kv/state_machine.h"
#include "paxos/base/ids.h"
#include "paxos/base/status.h"
#include "rpc/failure.h"

namespace decree::rpc {

// kInvalidArgument that names the field, the limit and the size.
Status Check(const v1::PutRequest& request);
Status Check(const v1::DeleteRequest& request);
Status Check(const v1::CompareAndSwapRequest& request);
Status Check(const v1::GetRequest& request);
Status Check(const v1::RangeRequest& request);
Status Check(const v1::OpenSessionRequest& request);
Status Check(const v1::CloseSessionRequest& request);
Status Check(const v1::OutcomeRequest& request);

v1::Command MakeCommand(const v1::PutRequest& request);
v1::Command MakeCommand(const v1::DeleteRequest& request);
v1::Command MakeCommand(const v1::CompareAndSwapRequest& request);
v1::Command MakeCommand(const v1::OpenSessionRequest& request);
v1::Command MakeCommand(const v1::CloseSessionRequest& request);
// Settles the request.
v1::Command MakeCommand(const v1::OutcomeRequest& request);

// `node` is the one that carried the command out. Moves out of `result`, which refuses nothing.
void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::PutResponse& response);
void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::DeleteResponse& response);
void FillResponse(paxos::NodeId node, v1::CommandResult& result,
                  v1::CompareAndSwapResponse& response);
void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::OpenSessionResponse& response);
void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::CloseSessionResponse& response);
void FillResponse(paxos::NodeId node, v1::CommandResult& result, v1::OutcomeResponse& response);
// What is known of a request, as read from the store; the session is known.
void FillResponse(kv::RequestFate& fate, v1::OutcomeResponse& response);

// What the state machine's refusal means to the client.
Failure RefusalOf(const v1::CommandResult& result);

}  // namespace decree::rpc
