#pragma once
// Clients that put, read and compare-and-swap a few keys at once, and write down what they were told,
// for the checker of linearizability.

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/process/process_cluster.h"
#include "tests/support/history.h"

namespace decree::process {

class Load {
 public:
  // Begins with so many clients, each with one request under way at a time.
  Load(const ProcessCluster& cluster, uint32_t clients);
  ~Load() { Stop(); }

  // Ends the clients; nothing is under way when it returns.
  void Stop();
  // How many operations were answered so far.
  uint64_t answered() const { return answered_; }
  // Only after Stop.
  const check::History& history() const { return history_; }

 private:
  void RunClient(const ProcessCluster& cluster, uint32_t id);
  void Carry(rpc::Client& client, check::Operation& operation);
  void Note(check::Operation operation);
  int64_t Now() const;

  std::atomic<bool> stops_{false};
  std::atomic<uint64_t> answered_{0};
  std::mutex mutex_;
  check::History history_;
  std::vector<std::thread> threads_;
};

}  // namespace decree::process
