#include "rpc/loop/grpc_process.h"

#include <absl/synchronization/mutex.h>
#include <glog/logging.h>
#include <grpc/support/log.h>

namespace decree::rpc {

void SetUpGrpc() {
  // Whatever an operator must know of gRPC's messages comes back as an error.
  gpr_set_log_function([](gpr_log_func_args* remark) { VLOG(1) << "grpc: " << remark->message; });
  // Debian's abseil is a debug build, in which each lock is looked up in a graph of all locks.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace decree::rpc
