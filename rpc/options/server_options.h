#pragma once
// Every option of `decreed`: as a flag, as DECREED_… in the environment, or in the file of --config.
//
// What concerns all nodes alike (members, quorums, lease) is not here: it is replicated state, given
// once to `decreed init`.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "kv/newest_records.h"
#include "kv/store.h"
#include "paxos/base/status.h"
#include "paxos/core/membership.h"
#include "paxos/core/options.h"
#include "paxos/core/types.h"
#include "paxos/log/segment_log.h"
#include "rpc/loop/admission.h"

namespace decree::rpc {

struct ServerOptions {
  std::string data;
  // What the data directory must belong to; empty and 0: whatever it belongs to.
  std::string cluster;
  uint32_t node = 0;
  // Empty: this node's addresses in the configuration.
  std::string listen_client;
  std::string listen_peer;

  // As a leader, serves reads without a message while it holds its lease, if `core.uses_lease`.
  paxos::Options core = CoreDefaults();
  paxos::LogOptions log;
  kv::StoreOptions store;
  kv::MemoryOptions memory;

  size_t requests_max = 10'000;
  size_t connections_max = 4096;
  size_t client_connections_max = 2048;

  std::string log_level = "info";
  int log_verbosity = 0;
  std::string log_dir;  // empty: standard error

  // What is wrong with values that are each within their bounds, but do not fit together.
  Status Validate() const;

  Admission::Limits AdmissionLimits() const;

 private:
  // Of the core's own, but for what depends on the limits of keys and values.
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
