#pragma once
// Every option of `decreed`: as a flag, as DECREED_… in the environment, or in the file of --config.
//
// The members, quorums and lease, which concern all nodes alike, are no options: they are replicated state, and were
// given to `decreed init` once.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "kv/newest_records.h"
#include "kv/store.h"
#include "paxos/base/status.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/options.h"
#include "paxos/core/protocol/types.h"
#include "paxos/log/segment_log.h"
#include "rpc/loop/admission.h"

namespace decree::rpc {

struct ServerOptions {
  std::string data;
  // The cluster and node that the data directory must belong to; empty and 0 stand for any.
  std::string cluster;
  uint32_t node = 0;
  // If empty, this node's addresses in the configuration are taken.
  std::string listen_client;
  std::string listen_peer;

  paxos::Options core = CoreDefaults();
  paxos::LogOptions log;
  kv::StoreOptions store;
  kv::MemoryOptions memory;

  size_t requests_max = 10'000;
  size_t connections_max = 4096;
  size_t client_connections_max = 2048;
  // What the node may hold in memory beside its caches, in bytes, as long as `pending_bytes_max` is not raised.
  size_t memory_bytes_max = 512 << 20;

  std::string log_level = "info";
  int log_verbosity = 0;
  std::string log_dir;  // empty: standard error

  // Refuses values that are within their bounds, but do not fit together.
  Status Validate() const;

  Admission::Limits AdmissionLimits() const;
  // What the process may hold in memory, in bytes.
  size_t MemoryMax() const;

 private:
  // The core's own defaults, except for what depends on the limits of keys and values.
  static paxos::Options CoreDefaults();
};

struct InitOptions {
  std::vector<std::string> members;  // ID=PEERHOST:PORT,CLIENTHOST:PORT
  uint32_t q1 = 0;                   // 0: a majority
  uint32_t q2 = 0;
  int64_t lease_ms = 500;
  uint32_t drift_ppm = 10'000;

  StatusOr<paxos::Configuration> FoundingConfiguration() const;
};

struct CommandLine {
  enum class Action { kRun, kInit, kExit };
  Action action = Action::kExit;
  int exit_code = 0;
  ServerOptions server;
  InitOptions init;
};

// Reads `arguments` (without the program's name), environment and file. Help, --print-config and
// version go to `out`, what is wrong to `err`; then the action is kExit.
CommandLine ParseCommandLine(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace decree::rpc
