#pragma once
// gRPC's health service, on our own event loop. The one that comes with the library brings threads
// that wait for sockets too, and then carry half of our requests from thread to thread.

#include <memory>
#include <set>

#include "grpc/health/v1/health.grpc.pb.h"
#include "rpc/loop/callers.h"
#include "rpc/loop/event_loop.h"
#include "rpc/loop/unary_call.h"

namespace decree::rpc {

class HealthService {
 public:
  // `service` is the one registered with the server.
  HealthService(Callers& callers, grpc::health::v1::Health::AsyncService& service);
  ~HealthService();

  // Answers from now on, with "serving".
  void Open();
  // Answers "not serving" from now on, and tells those who watch.
  void SetNotServing();

 private:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  class Watch;

  // SERVICE_UNKNOWN for a name that is not ours.
  Response::ServingStatus StatusOf(const std::string& service) const;
  void OnCheck(Call<Request, Response>& call);
  void PostWatch();

  EventLoop& loop_;
  grpc::health::v1::Health::AsyncService& service_;
  UnaryMethod<Request, Response> check_;
  std::set<std::shared_ptr<Watch>> watches_;
  bool is_serving_ = true;
};

}  // namespace decree::rpc
