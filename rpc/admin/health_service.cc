#include "rpc/admin/health_service.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "rpc/loop/request_bytes.h"
#include "rpc/loop/unary_call.h"
#include "rpc/printable.h"

namespace decree::rpc {
namespace {

constexpr std::array<std::string_view, 4> kServices = {"", "decree.v1.KV", "decree.v1.Admin", "decree.v1.Peer"};

}  // namespace

// One who watches.
class HealthService::Watch final : public ServerCall::Handler, public std::enable_shared_from_this<Watch> {
 public:
  Watch(HealthService& owner, std::unique_ptr<ServerCall> call) : owner_(owner), call_(std::move(call)) {}

  void Begin() {
    call_->Begin(shared_from_this());
    call_->Read();
  }
  // Sends the status if it differs from the one sent last.
  void Tell() {
    if (!has_asked_ || call_->is_writing() || call_->is_ending()) return;
    const Response::ServingStatus status = owner_.ServingStatusOf(request_.service());
    if (status == told_) return;
    told_ = status;
    Response response;
    response.set_status(status);
    call_->Write(response);
  }

 private:
  void OnMessage() override {
    has_asked_ = call_->TakeRequest(request_, kSmallRequestBytes);
    if (!has_asked_) return OnHalfClosed();
    Tell();
  }
  void OnHalfClosed() override {
    call_->End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                            UnreadableRequest(request_.GetTypeName(), kSmallRequestBytes)));
  }
  void OnWritten() override { Tell(); }
  void OnGone() override { owner_.watches_.erase(shared_from_this()); }

  HealthService& owner_;
  const std::unique_ptr<ServerCall> call_;
  bool has_asked_ = false;
  Request request_;
  Response::ServingStatus told_ = Response::UNKNOWN;
};

HealthService::HealthService(Methods& methods) {
  OfferUnary<Request, Response>(methods, "/grpc.health.v1.Health/Check", nullptr,
                                [this](const auto& call) { OnCheck(*call); });
  methods.Add("/grpc.health.v1.Health/Watch", [this](std::unique_ptr<ServerCall> call) { OnWatch(std::move(call)); });
}

HealthService::~HealthService() = default;

void HealthService::SetNotServing() {
  is_serving_ = false;
  for (const auto& watch : watches_) watch->Tell();
}

HealthService::Response::ServingStatus HealthService::ServingStatusOf(const std::string& service) const {
  if (std::find(kServices.begin(), kServices.end(), service) == kServices.end()) {
    return Response::SERVICE_UNKNOWN;
  }
  return is_serving_ ? Response::SERVING : Response::NOT_SERVING;
}

void HealthService::OnCheck(Call<Request, Response>& call) {
  const Response::ServingStatus status = ServingStatusOf(call.request().service());
  if (status == Response::SERVICE_UNKNOWN) {
    return call.Fail(NotExecuted(grpc::StatusCode::NOT_FOUND,
                                 StrCat("no service \"", Printable(call.request().service(), kNameBytesMax), "\"")));
  }
  call.response().set_status(status);
  call.Finish();
}

void HealthService::OnWatch(std::unique_ptr<ServerCall> call) {
  (*watches_.insert(std::make_shared<Watch>(*this, std::move(call))).first)->Begin();
}

}  // namespace decree::rpc
