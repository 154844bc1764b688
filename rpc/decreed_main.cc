// decreed: a node of a Decree cluster.

#include <signal.h>

#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <glog/logging.h>

#include "paxos/fs/posix_file_system.h"
#include "rpc/data_directory.h"
#include "rpc/loop/grpc_process.h"
#include "rpc/options/server_options.h"
#include "rpc/server.h"
#include "rpc/service_manager.h"

namespace decree::rpc {
namespace {

// What asks this process to end. They are blocked in all threads, which begin later, and waited for by one: a handler
// would run in whichever thread the system picks, in the middle of anything.
sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  return signals;
}

void SetUpSignals() {
  const sigset_t stop = StopSignals();
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &stop, nullptr), 0);
  // A client that goes away must not end the process.
  ::signal(SIGPIPE, SIG_IGN);
}

void StartLogging(const ServerOptions& options) {
  FLAGS_logtostderr = options.log_dir.empty();
  FLAGS_log_dir = options.log_dir;
  FLAGS_v = options.log_verbosity;
  FLAGS_minloglevel = options.log_level == "error"     ? google::ERROR
                      : options.log_level == "warning" ? google::WARNING
                                                       : google::INFO;
  google::InitGoogleLogging("decreed");
}

int Fail(const Status& status) {
  std::cerr << "decreed: " << status.message() << '\n';
  return 1;
}

int Init(const CommandLine& line) {
  paxos::PosixFileSystem files;
  const Status formatted = FormatDataDirectory(line.server, line.init, files);
  if (!formatted.ok()) return Fail(formatted);
  std::cout << "Formatted " << line.server.data << " for node " << line.server.node << " of cluster '"
            << line.server.cluster << "'.\n";
  return 0;
}

int Serve(const ServerOptions& options) {
  StatusOr<std::unique_ptr<Server>> server = Server::Start(options);
  if (!server.ok()) return Fail(server.status());
  NotifyServiceManager("READY=1");
  std::thread watcher([&server] {
    const sigset_t stop = StopSignals();
    int signal = 0;
    CHECK_EQ(sigwait(&stop, &signal), 0);
    NotifyServiceManager("STOPPING=1");
    (*server)->RequestStop();
  });
  (*server)->Run();
  watcher.join();
  return 0;
}

int Main(int argc, char** argv) {
  const CommandLine line = ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
  if (line.action == CommandLine::Action::kExit) return line.exit_code;
  StartLogging(line.server);
  if (line.action == CommandLine::Action::kInit) return Init(line);
  SetUpSignals();
  SetUpGrpc();
  return Serve(line.server);
}

}  // namespace
}  // namespace decree::rpc

int main(int argc, char** argv) { return decree::rpc::Main(argc, argv); }
