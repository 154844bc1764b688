#include "rpc/loop/callers.h"

#include <utility>

#include "paxos/base/rare_case.h"
#include "rpc/loop/caller_address.h"

namespace decree::rpc {
namespace {

// So many callers that are refused for lack of room are told so; more are not.
constexpr size_t kRefusalsMax = 256;
// After so many more calls the unread is dropped again.
constexpr size_t kDropEvery = 64;

}  // namespace

// ---- A connection ----

Callers::Connection::Connection(Callers& callers, std::string address)
    : callers_(callers),
      address_(std::move(address)),
      is_used_(callers.actions_.use_of(address_)),
      answers_(callers.budgets_.answers, [this] { return CutOff(); }),
      requests_(callers.budgets_.requests, [this] { return CutOff(); }) {}

Callers::Connection::~Connection() { callers_.connections_.erase(address_); }

std::string Callers::Connection::CutOff() {
  if (!std::exchange(is_cut_off_, true)) {
    callers_.calls_ -= calls_;
    callers_.actions_.disconnect(address_);
  }
  return address_;
}

void Callers::Connection::OnCall() {
  ++calls_;
  ++callers_.held_;
  if (!is_cut_off_) ++callers_.calls_;
}

void Callers::Connection::OnCallGone() {
  --calls_;
  ++unserved_;
  --callers_.held_;
  if (!is_cut_off_) --callers_.calls_;
}

void Callers::Connection::OnBusy() {
  unserved_ = 0;
  if (busy_++ == 0) *is_used_ = true;
  if (!std::exchange(is_known_, true)) callers_.actions_.on_known(address_);
}

// ---- All of them ----

std::shared_ptr<Callers::Connection> Callers::Find(std::string address) {
  std::weak_ptr<Connection>& known = connections_[address];
  std::shared_ptr<Connection> connection = known.lock();
  if (connection == nullptr) {
    connection = std::make_shared<Connection>(*this, std::move(address));
    known = connection;
  }
  return connection;
}

Status Callers::LetIn(Connection& connection) {
  DropUnreadIfTooMany();
  if (connection.is_cut_off_) return absl::UnavailableError("the connection is being closed");
  if (connection.calls_ > limits_.calls_of_one || connection.unserved_ > limits_.unserved_of_one) {
    RARE_CASE("a connection was cut off for the number of its calls");
    connection.CutOff();
    const std::string problem = StrCat("more than ", limits_.calls_of_one, " calls at a time, or ",
                                       limits_.unserved_of_one, " in a row, by one connection without a request");
    actions_.note(StrCat(problem, ", which was cut off: ", ClientOf(connection.address())));
    return absl::ResourceExhaustedError(problem);
  }
  if (calls_ <= limits_.calls) return OkStatus();
  if (MakeRoom(connection)) {
    NoteFull("connections whose calls have no request make room for others");
    return OkStatus();
  }
  RARE_CASE("a call was refused for the number of all calls");
  NoteFull("all have a request, and others are refused");
  if (calls_ > limits_.calls + kRefusalsMax) connection.CutOff();
  return absl::ResourceExhaustedError(StrCat("as many calls are under way here as may be, ", limits_.calls,
                                             ": try again in a moment, or another node"));
}

void Callers::DropUnreadIfTooMany() {
  if (held_ <= limits_.calls_held) {
    dropped_at_ = 0;
  } else if (held_ >= dropped_at_ + kDropEvery) {
    RARE_CASE("what waited at the sockets was dropped for the number of calls");
    dropped_at_ = held_;
    NoteFull("what more has come at once was dropped, with its connections");
    actions_.drop_unread();
  }
}

void Callers::NoteFull(const char* consequence) const {
  actions_.note(StrCat("as many calls are under way as may be, ", limits_.calls, ": ", consequence));
}

bool Callers::MakeRoom(const Connection& newcomer) {
  std::shared_ptr<Connection> most;
  size_t most_idle = 0;
  for (const auto& [address, known] : connections_) {
    std::shared_ptr<Connection> one = known.lock();
    if (one == nullptr || one->is_cut_off_) continue;
    const size_t idle = one->calls_ - one->busy_ - (one.get() == &newcomer ? 1 : 0);
    if (idle <= most_idle) continue;
    most_idle = idle;
    most = std::move(one);
  }
  if (most == nullptr) return false;
  RARE_CASE("a connection was cut off so that others may call");
  most->CutOff();
  return true;
}

}  // namespace decree::rpc
