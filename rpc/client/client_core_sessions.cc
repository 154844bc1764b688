// The part of ClientCore that gives writes a session.

#include <algorithm>
#include <utility>

#include "rpc/client/client_core.h"
#include "rpc/client/methods.h"

namespace decree::rpc {
namespace {

// How often a write goes on in a new session because its own is not there any more.
constexpr int kRenewalsMax = 3;
// What closing the session may take at the end; left open, it expires.
constexpr Duration kCloseMax = Milliseconds(300);

}  // namespace

bool ClientCore::EnterSession(Operation& operation, Work& work) {
  if (operation.session != 0) return true;
  if (session_.id != 0) {
    operation.session = session_.id;
    operation.number = session_.numbers.Take();
    return true;
  }
  operation.state = Operation::State::kWaitingForSession;
  waiting_.push_back(operation.id);
  loop_.At(operation.deadline, [this, id = operation.id] { OnWaitedForSession(id); });
  OpenSession(work);
  return false;
}

uint64_t ClientCore::FloorFor(const Operation& operation) const {
  // No floor is kept of a session that was given up; this number is still waited for.
  return operation.session == session_.id ? session_.numbers.floor() : 1;
}

void ClientCore::OpenSession(Work& work) {
  if (opening_ != 0) return;
  Operation& operation = Add(MakeOperation<OpenSessionMethod>(
      Operation::Kind::kRepeatable, v1::OpenSessionRequest(),
      [this](const StatusOr<v1::OpenSessionResponse>& response) { OnSessionOpened(response); }));
  opening_ = operation.id;
  Begin(operation, work);
}

void ClientCore::OnSessionOpened(const StatusOr<v1::OpenSessionResponse>& response) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    opening_ = 0;
    if (response.ok()) {
      session_ = {.id = response->session(), .numbers = {}};
      why_no_session_.reset();
      for (const uint64_t id : std::exchange(waiting_, {})) Begin(*operations_.at(id), work);
    } else {
      OnSessionNotOpened(response.status(), work);
    }
  }
  Do(work);
}

void ClientCore::OnSessionNotOpened(const Status& status, Work& work) {
  // No write has been sent.
  AttemptError error = LocalError(status.code(), std::string(status.message()));
  error.detail = ErrorDetailOf(status);
  if (!IsTransient(status.code())) {
    for (const uint64_t id : std::exchange(waiting_, {})) EndWith(*operations_.at(id), error, work);
  }
  why_no_session_ = std::move(error);
  // Requests that came later still have time left.
  if (!waiting_.empty()) OpenSession(work);
}

AttemptError ClientCore::WhyNoSession() const {
  const auto opening = operations_.find(opening_);
  if (opening == operations_.end()) {
    return why_no_session_.value_or(LocalError(absl::StatusCode::kDeadlineExceeded, "no session could be opened"));
  }
  const Operation& open = *opening->second;
  // What a node said the time before tells more than a connection that fails now.
  const bool was_told =
      why_no_session_.has_value() && why_no_session_->detail.reason() == v1::ErrorDetail::REASON_ASK_ANOTHER;
  if (was_told && !open.said.has_value()) return *why_no_session_;
  const std::optional<AttemptError>& why = open.said.has_value() ? open.said : open.why;
  if (why.has_value()) {
    AttemptError error = LocalError(why->code, StrCat(open.name, ": ", why->text));
    error.detail = why->detail;
    return error;
  }
  return why_no_session_.value_or(
      LocalError(absl::StatusCode::kDeadlineExceeded,
                 StrCat(open.name, ": ", endpoints_.address(open.endpoint), " has not answered")));
}

void ClientCore::OnWaitedForSession(uint64_t id) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    const auto found = operations_.find(id);
    if (found == operations_.end()) return;
    if (found->second->state != Operation::State::kWaitingForSession) return;
    EndWith(*found->second, WhyNoSession(), work);
  }
  Do(work);
}

bool ClientCore::RenewSession(Operation& operation, Work& work) {
  if (operation.session == session_.id) session_ = {};
  // An earlier copy may have been carried out before the session expired.
  if (operation.number == 0 || operation.may_have_run || operation.renewals == kRenewalsMax) {
    return false;
  }
  ++operation.renewals;
  operation.session = 0;
  operation.number = 0;
  Begin(operation, work);
  return true;
}

void ClientCore::CloseSession() {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    if (session_.id == 0 || session_.has_unknown) return;
    Operation& operation = Add(MakeOperation<CloseSessionMethod>(
        Operation::Kind::kRepeatable, v1::CloseSessionRequest(), [](const StatusOr<v1::CloseSessionResponse>&) {}));
    operation.session = session_.id;
    operation.deadline = std::min(operation.deadline, loop_.Now() + kCloseMax);
    Begin(operation, work);
  }
  Do(work);
}

}  // namespace decree::rpc
