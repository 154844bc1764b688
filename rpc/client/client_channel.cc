#include "rpc/client/client_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

namespace decree::rpc {
namespace {

// The largest message that nodes and clients send to each other.
constexpr int kMessageBytesMax = 16 << 20;
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1000;
constexpr int kConnectTimeoutMs = 1000;
constexpr int kPingEveryMs = 5000;
constexpr int kPingTimeoutMs = 5000;

}  // namespace

std::shared_ptr<grpc::Channel> MakeClientChannel(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  // Counts of calls that nobody reads.
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  // Retries are ours, and know what may have been carried out.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Each has a connection of its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace decree::rpc
