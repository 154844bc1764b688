#include "bench/grpc_target.h"

#include <algorithm>
#include <thread>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

namespace decree::bench {
namespace {

constexpr int kEventsMax = 256;  // taken in by one Poll
constexpr int kReconnectMinMs = 50;
constexpr int kReconnectMaxMs = 250;
constexpr int kConnectTimeoutMs = 1000;
constexpr Duration kFindTimeout = Milliseconds(500);
constexpr Duration kFindPause = Milliseconds(50);

gpr_timespec After(Duration wait) {
  return gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_nanos(std::max(wait, Duration::zero()).count(), GPR_TIMESPAN));
}

// With a connection of its own.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

GrpcTarget::GrpcTarget(const TargetOptions& options) : options_(options) {
  for (const std::string& address : options_.endpoints) {
    for (size_t i = 0; i < options_.channels; ++i) channels_.push_back(MakeChannel(address));
  }
}

GrpcTarget::~GrpcTarget() {
  for (Call* const call : under_way_) call->context.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) delete static_cast<Call*>(tag);
}

Status GrpcTarget::Connect(Duration timeout) {
  const Time deadline = clock_.Now() + timeout;
  for (size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i]->WaitForConnected(After(deadline - clock_.Now()))) continue;
    return absl::UnavailableError(StrCat("no connection to ", address(i / options_.channels), " within ",
                                         ToMilliseconds(timeout), " ms"));
  }
  while (options_.needs_leader) {
    const StatusOr<size_t> found = FindLeader();
    if (found.ok()) {
      leader_ = *found;
      return OkStatus();
    }
    if (clock_.Now() >= deadline) return found.status();
    std::this_thread::sleep_for(kFindPause);
  }
  return OkStatus();
}

void GrpcTarget::Poll(Time until) {
  void* tag = nullptr;
  bool ok = false;
  gpr_timespec deadline = After(until - clock_.Now());
  for (int i = 0; i < kEventsMax; ++i) {
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return;
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    under_way_.erase(call.get());
    call->OnEnd();
    deadline = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  }
}

void GrpcTarget::LimitTime(grpc::ClientContext& context) const {
  context.set_deadline(After(kFindTimeout));
}

void GrpcTarget::Enter(Call& call) {
  call.context.set_deadline(After(options_.timeout));
  under_way_.insert(&call);
}

size_t GrpcTarget::NextChannel(size_t endpoint) {
  return endpoint * options_.channels + next_channel_++ % options_.channels;
}

}  // namespace decree::bench
