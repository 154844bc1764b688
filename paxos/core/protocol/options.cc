#include "paxos/core/protocol/options.h"

namespace decree::paxos {
namespace {

Status CheckAtLeast(const char* name, uint64_t value, uint64_t low) {
  if (value >= low) return OkStatus();
  return absl::InvalidArgumentError(StrCat(name, " is ", value, "; it must be at least ", low));
}

Status CheckPositive(const char* name, Duration value) {
  if (value > Duration::zero()) return OkStatus();
  return absl::InvalidArgumentError(StrCat(name, " is ", ToMilliseconds(value), " ms; it must be above 0"));
}

}  // namespace

Status Options::Validate() const {
  RETURN_IF_ERROR(CheckPositive("heartbeat", heartbeat));
  RETURN_IF_ERROR(CheckPositive("retransmit", retransmit));
  RETURN_IF_ERROR(CheckPositive("gap patience", gap_patience));
  if (election_timeout_min < 2 * heartbeat) {
    return absl::InvalidArgumentError(StrCat("election timeout (minimum) is ", ToMilliseconds(election_timeout_min),
                                             " ms; it must be at least two heartbeats (", ToMilliseconds(2 * heartbeat),
                                             " ms)"));
  }
  if (election_timeout_max < election_timeout_min) {
    return absl::InvalidArgumentError(StrCat("election timeout (maximum) is ", ToMilliseconds(election_timeout_max),
                                             " ms, below the minimum of ", ToMilliseconds(election_timeout_min),
                                             " ms"));
  }
  RETURN_IF_ERROR(CheckAtLeast("command_bytes_max", command_bytes_max, 1));
  RETURN_IF_ERROR(CheckAtLeast("batch_bytes_max", batch_bytes_max, 1));
  RETURN_IF_ERROR(CheckAtLeast("slots_in_flight_max", slots_in_flight_max, 1));
  RETURN_IF_ERROR(CheckAtLeast("pending_bytes_max", pending_bytes_max, command_bytes_max));
  RETURN_IF_ERROR(CheckAtLeast("pending_reads_max", pending_reads_max, 1));
  RETURN_IF_ERROR(CheckAtLeast("page_bytes_max", page_bytes_max, 1));
  RETURN_IF_ERROR(CheckPositive("fetch queue target", fetch_queue_target));
  RETURN_IF_ERROR(CheckAtLeast("fetch_piece_bytes", fetch_piece_bytes, 1));
  RETURN_IF_ERROR(CheckAtLeast("fetch_window_bytes_max", fetch_window_bytes_max, fetch_piece_bytes));
  return CheckAtLeast("window_slots_max", window_slots_max, 2 * slots_in_flight_max);
}

Status Options::ValidateWith(const Configuration& configuration) const {
  if (configuration.lease == Duration::zero()) return OkStatus();
  if (configuration.lease > election_timeout_min) {
    return absl::InvalidArgumentError(StrCat("the cluster's lease is ", ToMilliseconds(configuration.lease),
                                             " ms, above the smallest election timeout of ",
                                             ToMilliseconds(election_timeout_min), " ms; raise the election timeout"));
  }
  if (configuration.HeldLease() <= heartbeat) {
    return absl::InvalidArgumentError(StrCat("the cluster's lease lasts ", ToMilliseconds(configuration.HeldLease()),
                                             " ms and is renewed every ", ToMilliseconds(heartbeat),
                                             " ms, so that it would lapse in between; lower the heartbeat"));
  }
  return OkStatus();
}

}  // namespace decree::paxos
