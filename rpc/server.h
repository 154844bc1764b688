#pragma once
// The wiring of one node: data directory, event loop, peers, services. Only this file knows all of them.
//
// One thread does everything: it takes what has gathered on the completion queue, gives the node its
// turn (messages leave, the log is written and synced, entries are applied, requests answered), and
// waits again, until the next event or deadline. Nothing polls.

#include <memory>
#include <string>
#include <vector>

#include "kv/state_machine.h"
#include "kv/store.h"
#include "paxos/base/posix_clock.h"
#include "paxos/fs/posix_file_system.h"
#include "paxos/log/segment_log.h"
#include "paxos/node/node.h"
#include "rpc/admin/admin_service.h"
#include "rpc/admin/health_service.h"
#include "rpc/admin/node_status_report.h"
#include "rpc/admin/reflection_service.h"
#include "rpc/directory_watch.h"
#include "rpc/kv/kv_service.h"
#include "rpc/loop/event_loop.h"
#include "rpc/options/server_options.h"
#include "rpc/peer/peer_hello.h"
#include "rpc/peer/peer_service.h"
#include "rpc/peer/peer_transport.h"
#include "rpc/port/file_limit.h"
#include "rpc/port/memory_guard.h"
#include "rpc/port/port.h"
#include "rpc/recent_problems.h"

namespace decree::rpc {

class Server {
 public:
  // Recovers the node and takes its ports. Errors say what is wrong and what to do. `options` must be valid.
  static StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server();

  // Serves until RequestStop; then hands leadership over, answers what is on its way, and closes. What has not ended
  // after some seconds is cut off.
  void Run();
  // Any thread.
  void RequestStop() { stop_wakeup_.Ring(); }

 private:
  // What is read from the disk before the ports are taken.
  struct Recovered;

  Server(const ServerOptions& options, const FileShares& files, std::unique_ptr<Recovered> recovered,
         const PeerIdentity& own, const paxos::Member& member);

  Status TakePorts();
  Status StartNode();
  void OpenServices();
  // Waits for events, until `until` at most, and does what follows from them.
  void Step(Time until);
  void Drain();
  void Close();
  void NoteProblems();
  MemoryGuard::Actions MemoryActions();
  // What is wrong between this node and those who call it.
  std::vector<std::string> Problems() const;
  void FillClients(v1::NodeStatusResponse& status);
  // Ends the process if its data directory is gone.
  void CheckDirectory();

  const ServerOptions options_;
  const PosixClock clock_;
  const std::unique_ptr<Recovered> recovered_;
  const PeerIdentity own_;

  EventLoop loop_;
  Budget answers_;
  Budget peer_answers_;
  Port client_port_;
  Port peer_port_;
  PeerService peers_in_;
  PeerTransport peers_out_;
  Forwarder forwarder_;
  Admission admission_;
  Admission forwarded_;
  std::unique_ptr<paxos::Node> node_;
  std::unique_ptr<KvService> kv_;
  std::unique_ptr<NodeStatusReport> status_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<HealthService> health_;
  std::unique_ptr<ReflectionService> reflection_;
  DirectoryWatch directory_;
  Timer directory_timer_;
  RecentProblems problems_;  // what peers said and cannot be right, and of the process's memory
  MemoryGuard memory_;
  bool is_stopping_ = false;
  bool is_closed_ = false;
  Wakeup stop_wakeup_;
};

}  // namespace decree::rpc
