#include "rpc/port/port.h"

#include <unistd.h>

#include <functional>
#include <limits>
#include <utility>

#include <glog/logging.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>

#include "rpc/channel_arguments.h"
#include "rpc/loop/caller_address.h"
#include "rpc/loop/frame_watch.h"
#include "rpc/loop/shared_queue.h"

namespace decree::rpc {
namespace {

// How long a new connection may take to complete HTTP/2's greeting.
constexpr int kHandshakeMs = 10'000;

// How much of a message clients may send before it is being read. A thousand may wait to be, and
// pipelines are slower for a smaller one. It is HTTP/2's own, and so that of clients that do not know better.
constexpr int kWindowBytes = 65'535;

// What the headers of a call may hold, by HTTP/2's count, which clients are told: 32 bytes more than a field has. Those
// of gRPC's clients hold less than 1 KiB, and there may be a token.
constexpr int kHeadersBytes = FrameWatch::kHeaderBytesMax;

// The room for requests of unary calls that are being read, or wait to be let in. A connection may have a few large
// ones: they come one after the other anyway.
constexpr Budget::Limits kRequestLimits{.bytes_max = 24 << 20,
                                        .share = 4 << 20,
                                        .least = 64 << 10,
                                        .turn_bytes = std::numeric_limits<size_t>::max(),
                                        .turn_time = Duration::max(),
                                        .fault = "not sent the rest of its requests"};

}  // namespace

Port::Port(EventLoop& loop, Budget& answers, Options options)
    : loop_(loop),
      options_(std::move(options)),
      listener_(loop),
      connections_(options_.connections),
      requests_(loop, kRequestLimits),
      callers_({.answers = answers, .requests = requests_}, options_.calls,
               {.disconnect = [this](const std::string& caller) { connections_.Reset(caller); },
                .use_of = [this](const std::string& caller) { return connections_.UseOf(caller); },
                .on_known = [this](const std::string& caller) { connections_.SetPace(caller, options_.reads); },
                .drop_unread = [this] { connections_.Reset(Connections::Which::kUnread); },
                .note = [this](const std::string& problem) { Note(StrCat(options_.address, ": ", problem)); }}),
      calls_(loop, callers_, options_.purpose) {}

Port::~Port() {
  if (own_queue_ == nullptr) return;
  own_queue_->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (own_queue_->Next(&tag, &ok)) continue;
}

Status Port::Serve() {
  grpc::ServerBuilder builder;
  SetServerArguments(builder);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.message_bytes_max));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options_.calls_told);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kHeadersBytes);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  grpc::ResourceQuota quota;
  // gRPC decompresses a message, whatever that makes of its size, before anybody can look at it.
  for (const grpc_compression_algorithm packing : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(packing, false);
  }
  if (options_.memory_max != 0) {
    quota.Resize(options_.memory_max);
    // A window holds what one message needs, and does not grow on a fast link. So much of a message comes before it is
    // read, and may hold twice as much, for gRPC frees what it reads by 64 KiB.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  }
  builder.SetResourceQuota(quota);
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  builder.RegisterAsyncGenericService(&calls_.service());
  // gRPC insists on a queue of the server's own. Nothing comes to it.
  own_queue_ = builder.AddCompletionQueue();
  server_ = BuildOn(loop_, builder);
  if (server_ == nullptr) return absl::UnavailableError(StrCat("gRPC cannot serve at ", options_.address));
  return OkStatus();
}

void Port::Open() {
  calls_.Open();
  is_open_ = true;
  listener_.Open({.on_caller = [this](const Listener::Caller& caller) { OnCaller(caller); },
                  .on_trouble =
                      [this](const std::string& text) {
                        Note(StrCat("no connection can be accepted at ", options_.address, ": ", text));
                      }});
}

void Port::StopListening() {
  is_open_ = false;
  listener_.Close();
  requests_.Close();
}

void Port::OnCaller(const Listener::Caller& caller) {
  if (!is_open_) {
    close(caller.fd);
    return;
  }
  using Verdict = Connections::Verdict;
  const std::string client = ClientOf(caller.address);
  const Verdict verdict = connections_.Admit(caller.fd, caller.address, client, loop_.Now());
  if (verdict != Verdict::kAdmitted) NoteFull(verdict == Verdict::kRefused);
  if (verdict == Verdict::kRefused) {
    close(caller.fd);
    return;
  }
  PacedReads::Get().Set(caller.fd, PacedReads::Pace::kInTurns, static_cast<uint32_t>(std::hash<std::string>{}(client)));
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = caller.fd;
  acceptor_->HandleNewConnection(&connection);
}

void Port::NoteFull(bool is_refused) {
  Note(StrCat("as many connections to ", options_.address, " are open as may be, ", options_.connections.all, " or ",
              options_.connections.of_a_client, " from one address: ",
              is_refused ? "all are in use, and others are refused" : "those without a request make room for others"));
}

Port::Usage Port::CountUsage() {
  return {.connections = connections_.Count(loop_.Now()),
          .connections_max = options_.connections.all,
          .calls = callers_.calls(),
          .calls_max = callers_.calls_max()};
}

void Port::Note(const std::string& problem) { LOG_IF(WARNING, problems_.Note(problem, loop_.Now())) << problem; }

}  // namespace decree::rpc
