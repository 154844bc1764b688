#include "tests/sim/swarm.h"

#include <algorithm>
#include <array>

#include <glog/logging.h>

#include "paxos/base/status.h"

namespace decree::sim {
namespace {

using paxos::NodeId;

template <typename T, size_t n>
T Pick(Random& random, const std::array<T, n>& choices) {
  return choices[random.Below(n)];
}

Duration PickMilliseconds(Random& random, int64_t low, int64_t high) {
  return random.Between(Milliseconds(low), Milliseconds(high));
}

paxos::Options DrawOptions(Random& random) {
  paxos::Options options;
  options.heartbeat = PickMilliseconds(random, 20, 150);
  options.election_timeout_min = options.heartbeat * 2 + PickMilliseconds(random, 20, 500);
  options.election_timeout_max = options.election_timeout_min + PickMilliseconds(random, 50, 800);
  options.uses_lease = !random.Chance(0.1);
  options.retransmit = PickMilliseconds(random, 20, 400);
  options.gap_patience = PickMilliseconds(random, 1, 60);
  options.batch_bytes_max = Pick<size_t>(random, std::array<size_t, 4>{1, 300, 4096, 1 << 20});
  options.slots_in_flight_max = Pick<size_t>(random, std::array<size_t, 5>{1, 1, 4, 16, 32});
  options.page_bytes_max = Pick<size_t>(random, std::array<size_t, 4>{1, 500, 8192, 1 << 20});
  options.tail_bytes_max = Pick<size_t>(random, std::array<size_t, 4>{0, 1000, 20'000, 100'000});
  options.window_slots_max =
      options.slots_in_flight_max * 2 + Pick<size_t>(random, std::array<size_t, 3>{0, 16, 65'536});
  options.command_bytes_max = 8 << 10;
  options.pending_bytes_max = random.Chance(0.2) ? options.command_bytes_max : 1 << 20;
  options.pending_reads_max = random.Chance(0.2) ? 3 : 10'000;
  return options;
}

paxos::Configuration DrawConfiguration(Random& random, uint32_t nodes, const paxos::Options& options) {
  paxos::Configuration founding;
  for (uint32_t id = 1; id <= nodes; ++id) {
    founding.members.push_back({.id = NodeId(id),
                                .incarnation = {},
                                .voter = true,
                                .peer_address = StrCat("peer", id, ":1"),
                                .client_address = StrCat("client", id, ":1")});
  }
  founding.q2 = paxos::MajorityOf(nodes);
  if (nodes == 5 && random.Chance(0.4)) {
    founding.q2 = Pick<uint32_t>(random, std::array<uint32_t, 3>{2, 2, 4});
  } else if (nodes == 3 && random.Chance(0.1)) {
    founding.q2 = 3;
  } else if (nodes == 4 && random.Chance(0.5)) {
    founding.q2 = Pick<uint32_t>(random, std::array<uint32_t, 2>{1, 2});
  } else if (nodes == 7 && random.Chance(0.5)) {
    founding.q2 = Pick<uint32_t>(random, std::array<uint32_t, 4>{2, 3, 3, 5});
  }
  founding.q1 = nodes + 1 - founding.q2;
  founding.drift_ppm = Pick<uint32_t>(random, std::array<uint32_t, 3>{500, 10'000, 50'000});
  if (!random.Chance(0.2)) {
    const Duration longest = options.election_timeout_min;
    founding.lease = random.Chance(0.5) ? longest : random.Between(longest / 2, longest);
    if (founding.HeldLease() <= options.heartbeat) founding.lease = longest;
  }
  CHECK(founding.Validate().ok()) << founding.Validate();
  return founding;
}

FaultSet DrawFaults(Random& random) {
  const double density = Pick<double>(random, std::array<double, 3>{0.15, 0.4, 0.7});
  FaultSet faults;
  for (const Fault fault : AllFaults()) {
    if (fault > Fault::kNewDisk) break;  // from a stream of their own
    if (random.Chance(density)) faults.Add(fault);
  }
  return faults;
}

NetworkFaults DrawNetwork(Random& random, const FaultSet& faults) {
  NetworkFaults network;
  if (faults.Has(Fault::kLoss)) network.loss = Pick<double>(random, std::array<double, 3>{.01, .05, .2});
  if (faults.Has(Fault::kDuplication)) {
    network.duplication = Pick<double>(random, std::array<double, 2>{.02, .2});
  }
  network.delay_max = PickMilliseconds(random, 1, 30);
  if (faults.Has(Fault::kLongDelay)) {
    network.tail = Pick<double>(random, std::array<double, 2>{0.01, 0.1});
    network.tail_max =
        Pick<Duration>(random, std::array<Duration, 4>{Milliseconds(200), Seconds(1), Seconds(5), Seconds(30)});
  }
  return network;
}

// Two clocks may drift apart by twice what each may gain or lose; a leap adds to that.
void DrawClocks(Random& random, bool beyond_margin, Swarm& swarm) {
  if (beyond_margin) {
    swarm.clock_ppm_max = 500'000;
    swarm.clock_jump_max = Seconds(10);
    swarm.founding.lease = swarm.options.election_timeout_min;
    swarm.options.uses_lease = true;
    // What it takes for a leader to rely on a lease that has ended elsewhere.
    for (const Fault fault : {Fault::kClockRate, Fault::kClockJump, Fault::kIsolateLeader, Fault::kIsolateNewLeader}) {
      swarm.faults.Add(fault);
    }
    return;
  }
  const Duration margin = swarm.founding.lease - swarm.founding.HeldLease();
  const bool leaps = swarm.faults.Has(Fault::kClockJump) && random.Chance(0.7);
  swarm.clock_ppm_max = swarm.founding.drift_ppm / (leaps ? 4 : 2);
  if (leaps) swarm.clock_jump_max = margin / 2;
}

void DrawSessions(Random& random, Swarm& swarm) {
  swarm.session_share = Pick<double>(random, std::array<double, 4>{0, 0.5, 1, 1});
  swarm.settle_share = Pick<double>(random, std::array<double, 3>{0, 0.5, 1});
  swarm.replay_share = Pick<double>(random, std::array<double, 3>{0, 0.05, 0.3});
  kv::SessionLimits& limits = swarm.sessions;
  limits.sessions = Pick<uint64_t>(random, std::array<uint64_t, 3>{3, 30, 1000});
  limits.window = Pick<uint64_t>(random, std::array<uint64_t, 3>{3, 8, 1000});
  limits.answer_bytes = Pick<uint64_t>(random, std::array<uint64_t, 3>{1000, 10'000, 1 << 20});
  limits.answer_bytes_total = Pick<uint64_t>(random, std::array<uint64_t, 2>{1000, 1 << 20});
  limits.idle_time = static_cast<uint64_t>(PickMilliseconds(random, 1000, 20'000).count());
}

// How nodes catch up, and what their links carry.
void DrawCatchUp(Random random, bool draws_faults, Swarm& swarm) {
  paxos::Options& options = swarm.options;
  options.fetch_piece_bytes = Pick<size_t>(random, std::array<size_t, 4>{100, 500, 1500, 32 << 10});
  options.fetch_window_bytes_max =
      options.fetch_piece_bytes + Pick<size_t>(random, std::array<size_t, 3>{2000, 10'000, 8 << 20});
  options.fetch_queue_target = PickMilliseconds(random, 5, 50);
  options.accept_backlog_bytes_max = Pick<size_t>(random, std::array<size_t, 4>{0, 2000, 20'000, 2 << 20});
  if (draws_faults) {
    if (random.Chance(0.3)) swarm.faults.Add(Fault::kSlowLinks);
    if (random.Chance(0.4)) swarm.faults.Add(Fault::kDyingSource);
  }
  if (!swarm.faults.Has(Fault::kSlowLinks)) return;
  // All that the clients may have under way must fit through within part of an election timeout: here heartbeats
  // wait behind it.
  const int64_t least = Seconds(1) * 120'000 / options.election_timeout_min;
  swarm.links.bytes_per_second =
      static_cast<uint64_t>(least) * Pick<uint64_t>(random, std::array<uint64_t, 3>{1, 2, 8});
  swarm.links.queue_bytes_max = Pick<uint64_t>(random, std::array<uint64_t, 2>{200'000, 1'000'000});
  // Enough to lack.
  swarm.value_bytes_max = 3000;
  options.fetch_piece_bytes = std::max<size_t>(options.fetch_piece_bytes, 500);
  options.fetch_window_bytes_max = std::max<size_t>(options.fetch_window_bytes_max, 50'000);
}

// Which kinds of message take their time. A Promise that comes when its candidate is past hope, say, while
// others have gone on.
void DrawSlowKinds(Random random, bool draws_faults, Swarm& swarm) {
  if (draws_faults && random.Chance(0.25)) swarm.faults.Add(Fault::kSlowKinds);
  if (!swarm.faults.Has(Fault::kSlowKinds)) return;
  swarm.network.slow_pairs = Pick<double>(random, std::array<double, 3>{0.2, 0.5, 1});
  if (random.Chance(0.3)) swarm.network.slow_kinds = ~0U;
  for (uint64_t kinds = 1 + random.Below(3); kinds > 0; --kinds) {
    swarm.network.slow_kinds |= 1U << random.Below(std::variant_size_v<paxos::Message>);
  }
  swarm.network.slow_max = Pick<Duration>(random, std::array<Duration, 3>{Milliseconds(200), Seconds(1), Seconds(4)});
}

void DrawLateAccepts(Random random, bool draws_faults, Swarm& swarm) {
  if (draws_faults && random.Chance(0.25)) swarm.faults.Add(Fault::kLateAccept);
}

}  // namespace

Swarm Swarm::Draw(uint64_t seed, Random& random, uint32_t nodes, const std::optional<FaultSet>& faults,
                  bool beyond_margin) {
  Swarm swarm;
  swarm.options = DrawOptions(random);
  swarm.founding = DrawConfiguration(random, nodes, swarm.options);
  CHECK(swarm.options.Validate().ok()) << swarm.options.Validate();
  const Status fits = swarm.options.ValidateWith(swarm.founding);
  CHECK(fits.ok()) << fits;
  swarm.log.segment_bytes = Pick<uint64_t>(random, std::array<uint64_t, 3>{4096, 64 << 10, 512 << 10});
  swarm.log.zero_ahead_bytes = swarm.log.segment_bytes / 8;
  swarm.faults = faults.has_value() ? *faults : DrawFaults(random);
  swarm.network = DrawNetwork(random, swarm.faults);
  swarm.fault_gap_max = PickMilliseconds(random, 300, 3000);
  swarm.calm_before = random.Chance(0.3) ? Duration::zero() : Seconds(3);
  swarm.restart_max = Pick<Duration>(random, std::array<Duration, 3>{Milliseconds(30), Milliseconds(500), Seconds(4)});
  swarm.sync_max = Pick<Duration>(random, std::array<Duration, 3>{Milliseconds(1), Milliseconds(5), Milliseconds(30)});
  DrawClocks(random, beyond_margin, swarm);

  swarm.clients = static_cast<uint32_t>(random.Between(2, 6));
  swarm.lanes = static_cast<uint32_t>(random.Between(1, 3));
  swarm.think_max =
      Pick<Duration>(random, std::array<Duration, 3>{Milliseconds(20), Milliseconds(100), Milliseconds(300)});
  swarm.hot_keys = static_cast<uint32_t>(random.Between(1, 4));
  swarm.key_life = PickMilliseconds(random, 500, 2000);
  swarm.value_bytes_max = Pick<size_t>(random, std::array<size_t, 4>{0, 0, 200, 3000});
  DrawSessions(random, swarm);
  DrawCatchUp(Random(seed ^ 0x6361746368207570), !faults.has_value() && !beyond_margin, swarm);
  DrawSlowKinds(Random(seed ^ 0x736c6f77206b696e), !faults.has_value() && !beyond_margin, swarm);
  DrawLateAccepts(Random(seed ^ 0x6c61746520616363), !faults.has_value() && !beyond_margin, swarm);
  if (beyond_margin) {
    // Many reads and few hindrances, so that a stale one is met.
    swarm.session_share = 0;
    swarm.think_max = Milliseconds(20);
  }
  return swarm;
}

}  // namespace decree::sim
