#include "bench/grpc_target.h"

#include <algorithm>

#include "rpc/channel_arguments.h"

namespace decree::bench {
namespace {

constexpr int kEventsMax = 256;  // taken in by one Poll

gpr_timespec After(Duration wait) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(std::max(wait, Duration::zero()).count(), GPR_TIMESPAN));
}

}  // namespace

GrpcTarget::GrpcTarget(const TargetOptions& options) : options_(options) {
  for (const std::string& address : options_.endpoints) {
    for (size_t i = 0; i < options_.channels; ++i) channels_.push_back(rpc::MakeClientChannel(address));
  }
}

GrpcTarget::~GrpcTarget() {
  Close();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) static_cast<rpc::Event*>(tag)->OnEvent(ok);
}

Status GrpcTarget::Connect(Duration timeout) {
  const Time deadline = clock_.Now() + timeout;
  for (size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i]->WaitForConnected(After(deadline - clock_.Now()))) continue;
    return absl::UnavailableError(StrCat("no connection to ", options_.endpoints[i / options_.channels], " within ",
                                         ToMilliseconds(timeout), " ms"));
  }
  return OkStatus();
}

void GrpcTarget::Poll(Time until) {
  Flush();
  void* tag = nullptr;
  bool ok = false;
  gpr_timespec deadline = After(until - clock_.Now());
  for (int i = 0; i < kEventsMax; ++i) {
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) break;
    static_cast<rpc::Event*>(tag)->OnEvent(ok);
    deadline = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  }
}

void GrpcTarget::LimitTime(grpc::ClientContext& context, Duration timeout) { context.set_deadline(After(timeout)); }

}  // namespace decree::bench
