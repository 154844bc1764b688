#include "rpc/client/client.h"

#include <future>
#include <set>
#include <utility>

#include <glog/logging.h>

#include "rpc/client/client_core.h"
#include "rpc/client/methods.h"

namespace decree::rpc {
namespace {

using Kind = Operation::Kind;

// Waits for the answer of what `start` starts.
template <typename Response, typename Start>
StatusOr<Response> Await(const ClientCore& core, const Start& start) {
  CHECK(!core.loop().IsOwnThread()) << "a callback must not wait for another request";
  std::promise<StatusOr<Response>> promise;
  std::future<StatusOr<Response>> answer = promise.get_future();
  start([&promise](StatusOr<Response> response) { promise.set_value(std::move(response)); });
  return answer.get();
}

Status CheckPositive(const char* name, Duration value) {
  if (value > Duration::zero()) return OkStatus();
  return absl::InvalidArgumentError(StrCat(name, " is ", ToMilliseconds(value), " ms; it must be above 0"));
}

Kind KindOf(v1::ReadMode read) { return read == v1::READ_MODE_STALE ? Kind::kStaleRead : Kind::kRead; }

}  // namespace

Status ClientOptions::Validate() const {
  if (endpoints.empty()) {
    return absl::InvalidArgumentError("endpoints is empty; give HOST:PORT of one node at least");
  }
  std::set<std::string> seen;
  for (const std::string& endpoint : endpoints) {
    const size_t colon = endpoint.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == endpoint.size()) {
      return absl::InvalidArgumentError(StrCat("endpoints: \"", endpoint, "\" is not of the form HOST:PORT"));
    }
    if (!seen.insert(endpoint).second) {
      return absl::InvalidArgumentError(StrCat("endpoints: ", endpoint, " is given twice"));
    }
  }
  RETURN_IF_ERROR(CheckPositive("timeout", timeout));
  RETURN_IF_ERROR(CheckPositive("attempt_timeout", attempt_timeout));
  return OkStatus();
}

std::string PrefixEnd(std::string prefix) {
  while (prefix.ends_with('\xff')) prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  RETURN_IF_ERROR(options.Validate());
  return std::unique_ptr<Client>(new Client(std::move(options)));
}

Client::Client(ClientOptions options) : core_(std::make_unique<ClientCore>(std::move(options))) {}

Client::~Client() = default;

const ClientOptions& Client::options() const { return core_->options(); }

// ---- Asynchronous ----

void Client::Put(v1::PutRequest request, Callback<v1::PutResponse> done) {
  core_->Start<PutMethod>(Kind::kWrite, std::move(request), std::move(done));
}

void Client::Get(v1::GetRequest request, Callback<v1::GetResponse> done) {
  const Kind kind = KindOf(request.read());
  core_->Start<GetMethod>(kind, std::move(request), std::move(done));
}

void Client::Range(v1::RangeRequest request, Callback<v1::RangeResponse> done) {
  const Kind kind = KindOf(request.read());
  core_->Start<RangeMethod>(kind, std::move(request), std::move(done));
}

void Client::Delete(v1::DeleteRequest request, Callback<v1::DeleteResponse> done) {
  core_->Start<DeleteMethod>(Kind::kWrite, std::move(request), std::move(done));
}

void Client::CompareAndSwap(v1::CompareAndSwapRequest request, Callback<v1::CompareAndSwapResponse> done) {
  core_->Start<SwapMethod>(Kind::kWrite, std::move(request), std::move(done));
}

void Client::Outcome(uint64_t session, uint64_t number, bool settle, Callback<v1::OutcomeResponse> done) {
  v1::OutcomeRequest request;
  request.mutable_header()->set_session(session);
  request.mutable_header()->set_number(number);
  request.set_settle(settle);
  core_->Start<OutcomeMethod>(settle ? Kind::kRepeatable : Kind::kRead, std::move(request), std::move(done));
}

void Client::TransferLeadership(uint32_t heir, Callback<v1::TransferLeadershipResponse> done) {
  v1::TransferLeadershipRequest request;
  request.set_heir(heir);
  core_->Start<TransferMethod>(Kind::kLeaderOnly, std::move(request), std::move(done));
}

void Client::NodeStatus(size_t endpoint, Callback<v1::NodeStatusResponse> done) {
  core_->StartNodeStatus(endpoint, std::move(done));
}

// ---- Blocking ----

StatusOr<v1::PutResponse> Client::Put(std::string key, std::string value) {
  v1::PutRequest request;
  request.set_key(std::move(key));
  request.set_value(std::move(value));
  return Await<v1::PutResponse>(*core_,
                                [&](Callback<v1::PutResponse> done) { Put(std::move(request), std::move(done)); });
}

StatusOr<v1::GetResponse> Client::Get(std::string key) { return Get(std::move(key), options().read); }

StatusOr<v1::GetResponse> Client::Get(std::string key, v1::ReadMode read) {
  v1::GetRequest request;
  request.set_key(std::move(key));
  request.set_read(read);
  return Await<v1::GetResponse>(*core_,
                                [&](Callback<v1::GetResponse> done) { Get(std::move(request), std::move(done)); });
}

StatusOr<v1::RangeResponse> Client::Range(v1::RangeRequest request) {
  return Await<v1::RangeResponse>(
      *core_, [&](Callback<v1::RangeResponse> done) { Range(std::move(request), std::move(done)); });
}

StatusOr<v1::DeleteResponse> Client::Delete(std::string key) {
  v1::DeleteRequest request;
  request.set_key(std::move(key));
  return Await<v1::DeleteResponse>(
      *core_, [&](Callback<v1::DeleteResponse> done) { Delete(std::move(request), std::move(done)); });
}

StatusOr<v1::CompareAndSwapResponse> Client::CompareAndSwap(v1::CompareAndSwapRequest request) {
  return Await<v1::CompareAndSwapResponse>(
      *core_, [&](Callback<v1::CompareAndSwapResponse> done) { CompareAndSwap(std::move(request), std::move(done)); });
}

StatusOr<v1::OutcomeResponse> Client::Outcome(uint64_t session, uint64_t number, bool settle) {
  return Await<v1::OutcomeResponse>(
      *core_, [&](Callback<v1::OutcomeResponse> done) { Outcome(session, number, settle, std::move(done)); });
}

StatusOr<v1::TransferLeadershipResponse> Client::TransferLeadership(uint32_t heir) {
  return Await<v1::TransferLeadershipResponse>(
      *core_, [&](Callback<v1::TransferLeadershipResponse> done) { TransferLeadership(heir, std::move(done)); });
}

StatusOr<v1::NodeStatusResponse> Client::NodeStatus(size_t endpoint) {
  return Await<v1::NodeStatusResponse>(
      *core_, [&](Callback<v1::NodeStatusResponse> done) { NodeStatus(endpoint, std::move(done)); });
}

}  // namespace decree::rpc
