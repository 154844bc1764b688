#pragma once
// What clients are told: how a write ended, and what is known of one.

#include <optional>

#include "decree/v1/kv.pb.h"
#include "decree/v1/log.pb.h"
#include "kv/sessions.h"
#include "paxos/base/ids.h"
#include "rpc/failure.h"

namespace decree::rpc {

// Fills the header of every answer. `node` carried the request out, and `revision` and `epoch` are its state's.
void FillHeader(paxos::NodeId node, uint64_t revision, uint64_t epoch, v1::ResponseHeader& header);

// Fill all but the header and what the key held before. `result` refuses nothing.
void FillResponse(const v1::CommandResult& result, v1::PutResponse& response);
void FillResponse(const v1::CommandResult& result, v1::DeleteResponse& response);
void FillResponse(const v1::CommandResult& result, v1::CompareAndSwapResponse& response);
void FillResponse(const v1::CommandResult& result, v1::OpenSessionResponse& response);
void FillResponse(const v1::CommandResult& result, v1::CloseSessionResponse& response);
void FillResponse(const v1::CommandResult& result, v1::OutcomeResponse& response);
// Fills in what is known of a request whose session is known. `result` is how it ended, if it has.
void FillResponse(kv::RequestFate fate, const v1::CommandResult& result, v1::OutcomeResponse& response);

// Fill in what the key held before, in responses that tell it; without it they say that it is omitted.
void TellPrevious(std::optional<v1::KeyValue> previous, v1::PutResponse& response);
void TellPrevious(std::optional<v1::KeyValue> previous, v1::DeleteResponse& response);
void TellPrevious(std::optional<v1::KeyValue> previous, v1::CompareAndSwapResponse& response);
void TellPrevious(std::optional<v1::KeyValue> previous, v1::OutcomeResponse& response);
template <typename Response>
void TellPrevious(const std::optional<v1::KeyValue>&, Response&) {}

// The failure that the state machine's refusal is to the client.
Failure RefusalOf(const v1::CommandResult& result);

}  // namespace decree::rpc
