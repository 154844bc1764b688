#pragma once
// One address at which a node is called: gRPC's server there, and the connections to it. Clients and other nodes have a
// port each, so that neither can use up what the others need.
//
// For the loop's thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "paxos/base/status.h"
#include "rpc/loop/callers.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/paced_reads.h"
#include "rpc/port/calls.h"
#include "rpc/port/connections.h"
#include "rpc/port/listener.h"
#include "rpc/recent_problems.h"

namespace decree::rpc {

class Port {
 public:
  struct Options {
    std::string address;  // HOST:PORT
    // What the port is for, and where to go for the rest; told to those who call something else.
    std::string purpose;
    Connections::Limits connections;
    Callers::Limits calls;
    // How many calls at a time callers are told that they may have by a connection.
    int calls_told = 256;
    // How a connection is read once a request by it was served; until then they all share turns.
    PacedReads::Pace reads = PacedReads::Pace::kInTurns;
    // The largest message that is received, in bytes.
    size_t message_bytes_max = 0;
    // How many bytes gRPC may hold of calls and connections before it gives some up; 0: any number.
    size_t memory_max = 0;
  };

  // `answers` has the room for answers to unary calls. It outlives the end of all calls, as the port does.
  Port(EventLoop& loop, Budget& answers, Options options);
  // It must be closed, or never have been opened, and the loop must have seen the end of all calls.
  ~Port();

  // Takes the address. Errors say what is wrong.
  Status Bind() { return listener_.Bind(options_.address); }
  // Makes gRPC's server.
  Status Serve();
  // The methods that are served here; add them before it opens.
  Methods& methods() { return calls_.methods(); }
  // Begins to let callers in.
  void Open();
  // Lets nobody in any more; requests that wait to be read are refused.
  void StopListening();
  // Ends all calls, and waits for that. For another thread than the loop's.
  void Shutdown(std::chrono::system_clock::time_point deadline) {
    if (server_ != nullptr) server_->Shutdown(deadline);
  }
  bool is_serving() const { return server_ != nullptr; }
  const std::string& address() const { return options_.address; }
  // The number of the port, also where 0 was asked for.
  uint16_t number() const { return listener_.port(); }

  // Ends many connections at once.
  void Reset(Connections::Which which) { connections_.Reset(which); }

  struct Usage {
    size_t connections = 0;
    size_t connections_max = 0;
    size_t calls = 0;
    size_t calls_max = 0;
  };
  // How many connections and calls there are, and how many there may be.
  Usage CountUsage();
  // What is wrong with the port, for the operator; empty if nothing is.
  std::vector<std::string> Problems() const { return problems_.Recent(loop_.Now()); }

 private:
  void OnCaller(const Listener::Caller& caller);
  void NoteFull(bool is_refused);
  void Note(const std::string& problem);

  EventLoop& loop_;
  const Options options_;
  Listener listener_;
  Connections connections_;
  Budget requests_;  // room for those of unary calls
  Callers callers_;
  Calls calls_;
  RecentProblems problems_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::ServerCompletionQueue> own_queue_;
  std::unique_ptr<grpc::Server> server_;
  bool is_open_ = false;
};

}  // namespace decree::rpc
