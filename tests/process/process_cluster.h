#pragma once
// A cluster of real `decreed` processes on loopback, for tests: each node a child of this process, in a
// directory that goes with the fixture. Signals go to these children only.

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "rpc/client/client.h"
#include "tests/support/tcp_proxy.h"

namespace decree::process {

// Waits until the condition holds; false if it does not within the limit.
bool WaitFor(const std::function<bool()>& condition, Duration limit = Seconds(20));

class ProcessCluster {
 public:
  static constexpr char kCluster[] = "processes";

  // Beside what the fixture gives to `decreed init` and `decreed serve`.
  struct Arguments {
    std::vector<std::string> init;
    std::vector<std::string> serve;
    // Peers and clients reach each node through proxies, see `LinkTo` and `Cut`.
    bool has_proxies = false;
  };

  // Formats the nodes and starts them all.
  explicit ProcessCluster(uint32_t nodes) : ProcessCluster(nodes, Arguments()) {}
  ProcessCluster(uint32_t nodes, Arguments arguments);
  // Kills what is left.
  ~ProcessCluster();
  ProcessCluster(const ProcessCluster&) = delete;
  ProcessCluster& operator=(const ProcessCluster&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  // Nodes are numbered from 1.
  std::string Endpoint(uint32_t node) const;
  // The address at which its peers reach it.
  std::string PeerAddress(uint32_t node) const;
  std::string DataDirectory(uint32_t node) const;
  // All that it has logged.
  std::string Log(uint32_t node) const;

  // All that its peers send to a node goes through here.
  check::TcpProxy& LinkTo(uint32_t node) { return *nodes_[node - 1].peer_proxy; }
  // From now on nothing of what one node sends arrives at the other: messages, requests that it forwards, and
  // answers. Clients do not notice. With proxies only.
  void Cut(uint32_t from, uint32_t to);
  // In both directions, from all others.
  void Isolate(uint32_t node);
  void Heal();

  // A client of all nodes, or of one.
  std::unique_ptr<rpc::Client> NewClient(Duration timeout = Seconds(5)) const;
  std::unique_ptr<rpc::Client> NewClientOf(uint32_t node, Duration timeout = Seconds(5)) const;

  // Adds one more process to start, with ports and a directory that do not belong to the cluster.
  uint32_t AddSpare();
  // Formats a node's directory as that of the node `as` of a cluster with this fixture's members.
  void Format(uint32_t node, uint32_t as, const std::string& cluster = kCluster);
  void Start(uint32_t node, const std::vector<std::string>& more_arguments = {});
  // So many files, connections among them, may those have open that are started from now on.
  void LimitFiles(uint64_t files_max) { files_max_ = files_max; }
  void Signal(uint32_t node, int signal);
  // SIGKILL, and waits for the end.
  void Kill(uint32_t node);
  void KillAll();
  // Waits for the process to end by itself; its exit code, or -1 if it was ended by a signal.
  int Wait(uint32_t node);
  bool IsRunning(uint32_t node) const { return nodes_[node - 1].pid != 0; }

  // The memory of a running node that is in use.
  uint64_t ResidentBytes(uint32_t node) const;
  // The most that it has had in use since its start.
  uint64_t PeakBytes(uint32_t node) const;

  // The node that says it leads and that a majority follows; 0 if there is none.
  uint32_t Leader() const;
  // Waits for one other than `not_this`. Stops the test's process if there is none in time.
  uint32_t AwaitLeader(uint32_t not_this = 0) const;
  // What a running node says of itself; stops the test's process if it does not answer.
  v1::NodeStatusResponse StatusOf(uint32_t node) const;
  // Waits until all running nodes have applied the same slots, with equal digests.
  bool AwaitAgreement() const;

 private:
  struct Node {
    uint16_t client_port = 0;
    uint16_t peer_port = 0;  // where it listens
    std::unique_ptr<check::TcpProxy> client_proxy;
    std::unique_ptr<check::TcpProxy> peer_proxy;
    uint64_t cut_from = 0;  // whose bytes do not arrive here; a set of bits
    pid_t pid = 0;          // 0: not running
  };

  void ApplyCuts();
  // The node, 0 for a client, or nothing if it has gone.
  std::optional<uint32_t> WhoMade(const check::Ports& connection) const;
  pid_t Spawn(const std::vector<std::string>& arguments, const std::string& log) const;

  const Arguments arguments_;
  const uint32_t members_;
  std::string directory_;
  uint64_t files_max_ = 0;  // 0: as this process
  mutable std::mutex pids_mutex_;
  std::map<pid_t, uint32_t> pids_;  // for the proxies' threads: the running nodes
  std::vector<Node> nodes_;         // Last: the proxies use the above.
};

}  // namespace decree::process
