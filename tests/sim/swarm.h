#pragma once
// What one seed's world is like: each seed switches a random part of the faults on and draws every
// parameter, from extremes, too. (Groce et al., "Swarm Testing", 2012: runs that leave features out
// find more than runs that have a little of everything.)

#include <cstdint>
#include <optional>

#include "kv/sessions.h"
#include "paxos/base/random.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/options.h"
#include "paxos/log/segment_log.h"
#include "tests/sim/fault.h"
#include "tests/sim/network.h"

namespace decree::sim {

struct Swarm {
  paxos::Configuration founding;
  paxos::Options options;
  paxos::LogOptions log;
  NetworkFaults network;
  LinkLimits links;
  FaultSet faults;
  Duration fault_gap_max{};   // between two faults
  Duration calm_before{};     // without faults, at the beginning
  Duration restart_max{};     // how long a crashed node stays away, at most
  Duration sync_max{};        // how long a sync takes
  int64_t clock_ppm_max = 0;  // how far a clock may gain or lose
  Duration clock_jump_max{};  // how far a clock may leap ahead, once in every lease

  // Clients.
  uint32_t clients = 0;
  uint32_t lanes = 0;  // requests that a client has under way at once
  Duration think_max{};
  uint32_t hot_keys = 0;
  Duration key_life{};  // hot keys are replaced by others so often
  size_t value_bytes_max = 0;
  double session_share = 0;  // of the clients, that write within sessions
  double settle_share = 0;   // of the requests given up, whose fate is settled through the log
  double replay_share = 0;   // of the requests, of which another copy arrives much later
  kv::SessionLimits sessions;

  // `faults`: exactly these, not some that are drawn. The clocks stay within the configured margin
  // unless `beyond_margin`: then a violation may happen.
  // What is drawn from `random` stays the same when more is to be drawn: that comes from streams of its own,
  // made from the seed, so that the seeds that once found something go on to do so.
  static Swarm Draw(uint64_t seed, Random& random, uint32_t nodes, const std::optional<FaultSet>& faults,
                    bool beyond_margin);
};

}  // namespace decree::sim
