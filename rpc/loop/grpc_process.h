#pragma once
// Settings of gRPC that each of our programs makes once, before it uses gRPC.

namespace decree::rpc {

// Sends gRPC's own remarks to the verbose log, and turns off its checks of the order of its locks.
void SetUpGrpc();

}  // namespace decree::rpc
