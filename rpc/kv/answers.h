#pragma once
// What clients are told: how a write ended, and what is known of one.

#include "decree/v1/kv.pb.h"
#include "decree/v1/log.pb.h"
#include "kv/view.h"
#include "paxos/base/ids.h"
#include "rpc/failure.h"

namespace decree::rpc {

// The header of every answer. `node` carried the request out, and `revision` and `epoch` are its store's.
void FillHeader(paxos::NodeId node, uint64_t revision, uint64_t epoch, v1::ResponseHeader& header);

// All but the header. Each moves out of `result`, which refuses nothing.
void FillResponse(v1::CommandResult& result, v1::PutResponse& response);
void FillResponse(v1::CommandResult& result, v1::DeleteResponse& response);
void FillResponse(v1::CommandResult& result, v1::CompareAndSwapResponse& response);
void FillResponse(v1::CommandResult& result, v1::OpenSessionResponse& response);
void FillResponse(v1::CommandResult& result, v1::CloseSessionResponse& response);
void FillResponse(v1::CommandResult& result, v1::OutcomeResponse& response);
// What is known of a request, as read from the store; the session is known.
void FillResponse(kv::RequestFate& fate, v1::OutcomeResponse& response);

// What the state machine's refusal means to the client.
Failure RefusalOf(const v1::CommandResult& result);

}  // namespace decree::rpc
