// decree-echo: answers empty calls with the server's own settings and event loop, and does nothing else. What
// it carries is the ceiling of this machine for unary calls.

#include <signal.h>

#include <iostream>
#include <memory>
#include <string>

#include <glog/logging.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "decree/v1/echo.grpc.pb.h"
#include "paxos/base/posix_clock.h"
#include "rpc/channel_arguments.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/grpc_process.h"
#include "rpc/loop/unary_call.h"

namespace decree::bench {
namespace {

constexpr int kPostedCalls = 128;  // as the key-value service's

volatile sig_atomic_t is_stopping = 0;

int Main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  rpc::SetUpGrpc();
  if (argc != 2) {
    std::cerr << "usage: decree-echo HOST:PORT\n";
    return 2;
  }
  signal(SIGTERM, [](int) { is_stopping = 1; });
  signal(SIGINT, [](int) { is_stopping = 1; });

  grpc::ServerBuilder builder;
  rpc::SetServerArguments(builder);
  int port = 0;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials(), &port);
  v1::Echo::AsyncService service;
  builder.RegisterService(&service);
  const PosixClock clock;
  rpc::EventLoop loop(builder.AddCompletionQueue(), clock);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::cerr << "decree-echo: cannot listen on " << argv[1] << '\n';
    return 1;
  }
  rpc::AnswerRoom answers(loop, {});
  rpc::Callers callers(loop, answers);
  rpc::UnaryMethod<v1::EchoRequest, v1::EchoResponse> echo(
      callers, [&service](auto... arguments) { service.RequestEcho(arguments...); },
      [](const auto& call) { call->Finish(); });
  echo.Open(kPostedCalls);
  while (is_stopping == 0) loop.Poll(loop.Now() + Milliseconds(100));

  server->Shutdown(std::chrono::system_clock::now());
  while (loop.pending() > 0) loop.Poll(loop.Now() + Milliseconds(100));
  return 0;
}

}  // namespace
}  // namespace decree::bench

int main(int argc, char** argv) { return decree::bench::Main(argc, argv); }
