#pragma once
// What the requests of one method share, however they travel.

#include <utility>

#include "rpc/client/operation.h"

namespace decree::rpc {

template <typename Method>
class MethodOperation : public Operation {
 public:
  using Request = typename Method::Request;
  using Response = typename Method::Response;

  MethodOperation(Kind operation_kind, Request request, OnAttemptEnded on_attempt_ended,
                  Client::Callback<Response> done)
      : Operation(operation_kind, Method::kName, request.ByteSizeLong()),
        request_(std::move(request)),
        on_attempt_ended_(std::move(on_attempt_ended)),
        done_(std::move(done)) {}

  void End(const Status& status) override {
    if (!status.ok()) return done_(status);
    done_(std::move(response_));
  }

 protected:
  void EndAttempt(AttemptEnd attempt_end) {
    end = std::move(attempt_end);
    on_attempt_ended_(*this);
  }

  Request request_;
  Response response_;

 private:
  const OnAttemptEnded on_attempt_ended_;
  const Client::Callback<Response> done_;
};

}  // namespace decree::rpc
