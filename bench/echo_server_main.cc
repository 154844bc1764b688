// decree-echo: answers empty calls with the server's own settings and event loop, and does nothing else. What
// it carries is the ceiling of this machine for unary calls.

#include <signal.h>

#include <iostream>
#include <memory>
#include <string>

#include <glog/logging.h>

#include "decree/v1/echo.pb.h"
#include "paxos/base/posix_clock.h"
#include "rpc/channel_arguments.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/grpc_process.h"
#include "rpc/loop/unary_call.h"
#include "rpc/port/port.h"

namespace decree::bench {
namespace {

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

  const PosixClock clock;
  rpc::EventLoop loop(clock);
  rpc::Budget answers(loop, {});
  rpc::Port port(loop, answers, {.address = argv[1], .message_bytes_max = rpc::kClientMessageBytesMax});
  rpc::OfferUnary<v1::EchoRequest, v1::EchoResponse>(port.methods(), "/decree.v1.Echo/Echo", nullptr,
                                                     [](const auto& call) { call->Finish(); });
  Status status = port.Bind();
  if (status.ok()) status = port.Serve();
  if (!status.ok()) {
    std::cerr << "decree-echo: " << status.message() << '\n';
    return 1;
  }
  port.Open();
  const auto step = [&loop] {
    loop.Poll(std::min(loop.Now() + Milliseconds(100), loop.timers().NextDeadline()));
    loop.timers().RunDue(loop.Now());
  };
  while (is_stopping == 0) step();

  port.StopListening();
  port.Shutdown(std::chrono::system_clock::now());
  while (loop.pending() > 0) step();
  return 0;
}

}  // namespace
}  // namespace decree::bench

int main(int argc, char** argv) { return decree::bench::Main(argc, argv); }
