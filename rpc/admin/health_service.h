#pragma once
// gRPC's health service, on our own event loop. The one that comes with the library brings threads that
// wait for sockets too, and so hand half of our requests from thread to thread.

#include <memory>
#include <set>

#include "grpc/health/v1/health.pb.h"
#include "rpc/loop/call.h"
#include "rpc/loop/methods.h"
#include "rpc/loop/server_call.h"

namespace decree::rpc {

class HealthService {
 public:
  // The port that has these methods serves it. It answers "serving".
  explicit HealthService(Methods& methods);
  ~HealthService();

  // From now on it answers "not serving", and tells so those who watch.
  void SetNotServing();

 private:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  class Watch;

  // The status of a service; SERVICE_UNKNOWN for a name that is not ours.
  Response::ServingStatus ServingStatusOf(const std::string& service) const;
  void OnCheck(Call<Request, Response>& call);
  void OnWatch(std::unique_ptr<ServerCall> call);

  std::set<std::shared_ptr<Watch>> watches_;
  bool is_serving_ = true;
};

}  // namespace decree::rpc
