#include "rpc/channel_arguments.h"

#include <algorithm>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

namespace decree::rpc {
namespace {

constexpr int kConnectTimeoutMs = 1000;

// In milliseconds: how long until a connection is tried again, at first and at most; how often the other end is
// asked for a sign of life, and how long it has to give one.
struct Pace {
  int reconnect_min_ms;
  int reconnect_max_ms;
  int ping_every_ms;
  int ping_timeout_ms;
};
constexpr Pace kClientPace{100, 1000, 5000, 5000};
constexpr Pace kNodePace{50, 250, 2000, 2000};
constexpr Pace kServerPace{0, 0, 30'000, 10'000};
// Pings that come more often count as abuse; well below the above, so that ours never do.
constexpr int kPingLeastMs = 200;
static_assert(kPingLeastMs < std::min(kClientPace.ping_every_ms, kNodePace.ping_every_ms));

grpc::ChannelArguments ArgumentsFor(const Pace& pace) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, pace.reconnect_min_ms);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, pace.reconnect_max_ms);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, pace.ping_every_ms);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, pace.ping_timeout_ms);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  // A node's address says how to reach it; no name service may redirect us.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // We retry ourselves: gRPC does not know what may have been carried out.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Nobody reads these counts of calls.
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  // gRPC shares connections between channels with equal arguments, unless each has a pool of its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const grpc::ChannelArguments& arguments) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeClientChannel(const std::string& address) {
  return MakeChannel(address, ArgumentsFor(kClientPace));
}

std::shared_ptr<grpc::Channel> MakeNodeChannel(const std::string& address) {
  grpc::ChannelArguments arguments = ArgumentsFor(kNodePace);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return MakeChannel(address, arguments);
}

void SetServerArguments(grpc::ServerBuilder& builder) {
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Counts and deadlines of calls, kept by gRPC at each: nobody reads the former, and the latter are ours.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingLeastMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kServerPace.ping_every_ms);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kServerPace.ping_timeout_ms);
}

}  // namespace decree::rpc
