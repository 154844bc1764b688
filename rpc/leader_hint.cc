#include "rpc/leader_hint.h"

namespace decree::rpc {

void AddLeader(const paxos::Replica& replica, Failure& failure) {
  v1::ErrorDetail& detail = failure.detail;
  if (const paxos::Member* const leader = replica.configuration().Find(replica.leader())) {
    detail.set_leader(leader->id.value());
    detail.set_leader_address(leader->client_address);
  } else if (failure.code == grpc::StatusCode::UNAVAILABLE && detail.reason() == v1::ErrorDetail::REASON_UNSPECIFIED) {
    detail.set_reason(v1::ErrorDetail::REASON_ASK_ANOTHER);
  }
}

}  // namespace decree::rpc
