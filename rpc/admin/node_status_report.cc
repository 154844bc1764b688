#include "rpc/admin/node_status_report.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "rpc/version.h"

namespace decree::rpc {
namespace {

// Below it a node says so: some segments of the log, and what the store needs to compact.
constexpr uint64_t kDiskFreeMin = 512 << 20;

uint64_t DiskFreeBytes(const std::string& path) {
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(path, unknown);
  return unknown ? 0 : space.available;
}

uint64_t Milliseconds64(Duration duration) { return static_cast<uint64_t>(ToMilliseconds(duration)); }

}  // namespace

NodeStatusReport::NodeStatusReport(Sources sources) : sources_(std::move(sources)), started_(sources_.clock.Now()) {}

void NodeStatusReport::Fill(v1::NodeStatusResponse& status) const {
  const paxos::Replica& replica = sources_.node.replica();
  const kv::State& state = sources_.machine.state();
  const Time now = sources_.clock.Now();
  status.set_cluster(sources_.log.identity().cluster);
  status.set_node(replica.self().node.value());
  status.set_version(kVersion);
  status.set_role(RoleName(replica.role()));
  status.set_leader(replica.leader().value());
  status.set_ballot_round(replica.ballot().round);
  status.set_ballot_node(replica.ballot().node.value());
  status.set_chosen_index(replica.chosen_index().value());
  status.set_applied_index(state.applied.value());
  status.set_lease_left_ms(Milliseconds64(replica.LeaseLeft(now)));
  status.set_revision(state.revision);
  status.set_store_epoch(state.epoch);
  status.set_log_bytes(sources_.log.SizeBytes());
  status.set_store_bytes(sources_.machine.SizeBytes());
  status.set_disk_free_bytes(DiskFreeBytes(sources_.data));
  status.set_digest(state.digest);
  status.set_uptime_ms(Milliseconds64(now - started_));
  status.set_peers_connected(sources_.peers_connected());
  FillConfiguration(status);
  FillReads(status);
  FillSessions(status);
  sources_.fill_clients(status);
  FillProblems(status);
}

void NodeStatusReport::FillConfiguration(v1::NodeStatusResponse& status) const {
  const paxos::Configuration& configuration = sources_.node.replica().configuration();
  for (const paxos::Member& member : configuration.members) {
    v1::Member& row = *status.add_members();
    row.set_id(member.id.value());
    row.set_peer_address(member.peer_address);
    row.set_client_address(member.client_address);
    row.set_voter(member.voter);
  }
  status.set_q1(configuration.q1);
  status.set_q2(configuration.q2);
  status.set_lease_ms(Milliseconds64(configuration.lease));
}

void NodeStatusReport::FillReads(v1::NodeStatusResponse& status) const {
  const bool is_off = status.lease_ms() == 0 || !sources_.is_lease_used;
  status.set_lease_state(is_off ? "off" : status.lease_left_ms() > 0 ? "held" : "none");
  const paxos::ReadCounts reads = sources_.node.read_counts();
  status.set_reads_under_lease(reads.under_lease);
  status.set_reads_by_round(reads.by_round);
  status.set_reads_at_leaders_index(reads.at_leaders_index);
  status.set_reads_stale(sources_.stale_reads());
}

void NodeStatusReport::FillSessions(v1::NodeStatusResponse& status) const {
  const kv::Sessions::Usage usage = sources_.machine.session_usage();
  status.set_sessions(usage.sessions);
  status.set_sessions_max(usage.sessions_max);
  status.set_sessions_ended_for_others(usage.ended_for_others);
  if (usage.sessions_max == 0 || usage.sessions < usage.sessions_max / 10 * 9) return;
  status.add_problems(StrCat(usage.sessions, " of at most ", usage.sessions_max, " sessions are open, ",
                             usage.of_greatest, " of them by clients at ", usage.greatest,
                             ", who should use those that they have; where there is no room, sessions that are not "
                             "used, or of whoever has the most, are ended for others"));
}

void NodeStatusReport::FillProblems(v1::NodeStatusResponse& status) const {
  const paxos::Replica& replica = sources_.node.replica();
  // First, for it explains why peers cannot be reached.
  if (replica.IsCutOff(sources_.clock.Now())) {
    status.add_problems(
        "this node hears no quorum of the cluster, and serves stale reads only; see to the network "
        "between it and the others");
  }
  for (const auto& problems : {replica.Obstacles(), sources_.problems()}) {
    for (const std::string& problem : problems) status.add_problems(problem);
  }
  if (status.disk_free_bytes() < kDiskFreeMin) {
    status.add_problems(StrCat("only ", status.disk_free_bytes() >> 20, " MiB are free at ", sources_.data,
                               "; a node that cannot write its log ends"));
  }
}

}  // namespace decree::rpc
