#pragma once
// One page of a range, as a client asks for it.

#include "decree/v1/kv.pb.h"
#include "kv/view.h"
#include "paxos/base/ids.h"
#include "rpc/failure.h"

namespace decree::rpc {

// How many bytes the keys of a page hold at most, together; a page of one key may hold more.
inline constexpr size_t kPageBytes = 1 << 20;

// Reads the page and fills the response of `node`. kOutOfRange if the view has no such revision yet.
Status FillPage(paxos::NodeId node, const kv::View& view, const v1::RangeRequest& request, v1::RangeResponse& response);

// The failure that the client is told of a page that was not read.
Failure PageFailure(const Status& status, v1::ReadMode read);

}  // namespace decree::rpc
