#include "rpc/admin_service.h"

#include <utility>

namespace decree::rpc {
namespace {

constexpr int kPostedCalls = 8;

}  // namespace

AdminService::AdminService(EventLoop& loop, v1::Admin::AsyncService& service,
                           FillStatus fill_status)
    : status_(
          loop, [&service](auto... arguments) { service.RequestStatus(arguments...); },
          [fill_status = std::move(fill_status)](const auto& call) {
            fill_status(call->response());
            call->Finish();
          }) {}

void AdminService::Open() { status_.Open(kPostedCalls); }

}  // namespace decree::rpc
