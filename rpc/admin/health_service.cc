#include "rpc/admin/health_service.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "rpc/loop/server_stream.h"

namespace decree::rpc {
namespace {

constexpr int kPostedChecks = 4;
constexpr std::array<std::string_view, 4> kServices = {"", "decree.v1.KV", "decree.v1.Admin",
                                                       "decree.v1.Peer"};

}  // namespace

// One who watches.
class HealthService::Watch : public std::enable_shared_from_this<Watch> {
 public:
  explicit Watch(HealthService& owner) : owner_(owner), stream_(owner.loop_, *this) {}

  void Await() {
    stream_.Await(shared_from_this(), [this](grpc::ServerContext* context, auto... arguments) {
      owner_.service_.RequestWatch(context, &request_, arguments...);
    });
  }

  // Tells the status if it is not what was told last.
  void Tell() {
    if (!stream_.has_arrived() || stream_.is_writing() || stream_.is_ending()) return;
    const Response::ServingStatus status = owner_.StatusOf(request_.service());
    if (status == told_) return;
    told_ = status;
    response_.set_status(status);
    stream_.Write(response_);
  }

 private:
  using Wire = ServerStream<Watch, grpc::ServerAsyncWriter<Response>>;
  friend Wire;

  void OnArrived() {
    owner_.PostWatch();
    Tell();
  }
  void OnWritten(bool ok) {
    if (ok) Tell();
  }
  void OnNoMore() { stream_.End(grpc::Status::CANCELLED); }
  void OnGone() { owner_.watches_.erase(shared_from_this()); }

  HealthService& owner_;
  Wire stream_;
  Request request_;
  Response response_;
  Response::ServingStatus told_ = Response::UNKNOWN;
};

HealthService::HealthService(Callers& callers, grpc::health::v1::Health::AsyncService& service)
    : loop_(callers.loop()),
      service_(service),
      check_(
          callers, [&service](auto... arguments) { service.RequestCheck(arguments...); },
          [this](const auto& call) { OnCheck(*call); }) {}

HealthService::~HealthService() = default;

void HealthService::Open() {
  check_.Open(kPostedChecks);
  PostWatch();
}

void HealthService::SetNotServing() {
  is_serving_ = false;
  for (const auto& watch : watches_) watch->Tell();
}

HealthService::Response::ServingStatus HealthService::StatusOf(const std::string& service) const {
  if (std::find(kServices.begin(), kServices.end(), service) == kServices.end()) {
    return Response::SERVICE_UNKNOWN;
  }
  return is_serving_ ? Response::SERVING : Response::NOT_SERVING;
}

void HealthService::OnCheck(Call<Request, Response>& call) {
  const Response::ServingStatus status = StatusOf(call.request().service());
  if (status == Response::SERVICE_UNKNOWN) {
    return call.Fail(NotExecuted(grpc::StatusCode::NOT_FOUND,
                                 StrCat("no service \"", call.request().service(), "\"")));
  }
  call.response().set_status(status);
  call.Finish();
}

void HealthService::PostWatch() {
  (*watches_.insert(std::make_shared<Watch>(*this)).first)->Await();
}

}  // namespace decree::rpc
