#pragma once
// What a program of ours sets once, before it uses gRPC.

namespace decree::rpc {

// gRPC's own remarks go to the verbose log, and its locks are taken without a look at their order.
void SetUpGrpc();

}  // namespace decree::rpc
