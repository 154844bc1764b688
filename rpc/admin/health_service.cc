#include "rpc/admin/health_service.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace decree::rpc {
namespace {

constexpr int kPostedChecks = 4;
constexpr std::array<std::string_view, 4> kServices = {"", "decree.v1.KV", "decree.v1.Admin",
                                                       "decree.v1.Peer"};

}  // namespace

// One who watches, from the time the call is waited for until its last event has come back.
class HealthService::Watch {
 public:
  explicit Watch(HealthService& owner) : owner_(owner), writer_(&context_) {}

  void Post() {
    auto* const queue = owner_.loop_.queue();
    context_.AsyncNotifyWhenDone(static_cast<Event*>(&done_));
    owner_.service_.RequestWatch(&context_, &request_, &writer_, queue, queue, Tag(arrived_));
  }

  // Tells the status if it is not what was told last.
  void Tell() {
    if (!has_arrived_ || is_writing_ || is_done_) return;
    const Response::ServingStatus status = owner_.StatusOf(request_.service());
    if (status == told_) return;
    told_ = status;
    is_writing_ = true;
    response_.set_status(status);
    writer_.Write(response_, Tag(written_));
  }

  std::list<std::unique_ptr<Watch>>::iterator position;

 private:
  void OnArrived(bool ok) {
    --under_way_;
    if (!ok) return Remove();  // The server is closing.
    has_arrived_ = true;
    owner_.loop_.Tag(done_);  // Only now: for a call that never arrives, "done" does not come.
    owner_.PostWatch();
    Tell();
  }
  void OnWritten(bool) {
    --under_way_;
    is_writing_ = false;
    if (is_done_) return RemoveIfDone();
    Tell();
  }
  void OnDone(bool) {
    is_done_ = true;
    RemoveIfDone();
  }
  void RemoveIfDone() {
    if (is_done_ && under_way_ == 0) Remove();
  }
  void Remove() { owner_.watches_.erase(position); }

  void* Tag(Event& event) {
    ++under_way_;
    return owner_.loop_.Tag(event);
  }

  HealthService& owner_;
  grpc::ServerContext context_;
  grpc::ServerAsyncWriter<Response> writer_;
  Request request_;
  Response response_;
  Response::ServingStatus told_ = Response::UNKNOWN;
  bool has_arrived_ = false;
  bool is_writing_ = false;
  bool is_done_ = false;
  int under_way_ = 0;

  MemberEvent<Watch, &Watch::OnArrived> arrived_{this};
  MemberEvent<Watch, &Watch::OnWritten> written_{this};
  MemberEvent<Watch, &Watch::OnDone> done_{this};
};

HealthService::HealthService(EventLoop& loop, grpc::health::v1::Health::AsyncService& service)
    : loop_(loop),
      service_(service),
      check_(
          loop, [&service](auto... arguments) { service.RequestCheck(arguments...); },
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

void HealthService::OnCheck(UnaryCall<Request, Response>& call) {
  const Response::ServingStatus status = StatusOf(call.request().service());
  if (status == Response::SERVICE_UNKNOWN) {
    return call.Fail(NotExecuted(grpc::StatusCode::NOT_FOUND,
                                 StrCat("no service \"", call.request().service(), "\"")));
  }
  call.response().set_status(status);
  call.Finish();
}

void HealthService::PostWatch() {
  const auto watch = watches_.insert(watches_.end(), std::make_unique<Watch>(*this));
  (*watch)->position = watch;
  (*watch)->Post();
}

}  // namespace decree::rpc
