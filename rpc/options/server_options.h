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

  int64_t heartbeat_ms = 100;
  int64_t election_timeout_min_ms = 500;
  int64_t election_timeout_max_ms = 1000;
  std::string lease = "on";  // "off": reads at this leader take a quorum round; it still grants leases

  uint64_t batch_bytes_max = 1 << 20;
  uint64_t slots_in_flight_max = 1;
  uint64_t pending_bytes_max = 48 << 20;
  uint64_t requests_max = 10'000;
  uint64_t connections_max = 4096;
  uint64_t client_connections_max = 2048;

  uint64_t segment_mib = 64;
  uint64_t key_index_mib = kv::MemoryOptions().key_index_bytes >> 20;
  uint64_t record_cache_mib = kv::MemoryOptions().record_cache_bytes >> 20;
  uint64_t block_cache_mib = kv::StoreOptions().block_cache_bytes >> 20;
  int open_files_max = kv::StoreOptions().open_files_max;

  std::string log_level = "info";
  int log_verbosity = 0;
  std::string log_dir;  // empty: standard error

  // What is wrong with values that are each within their bounds, but do not fit together.
  Status Validate() const;

  paxos::Options CoreOptions() const;
  paxos::LogOptions SegmentLogOptions() const;
  kv::StoreOptions StoreOptions() const;
  kv::MemoryOptions MemoryOptions() const;
  Admission::Limits AdmissionLimits() const;
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
CommandLine ParseCommandLine(const std::vector<std::string>& arguments, std::ostream& out,
                             std::ostream& err);

}  // namespace decree::rpc
