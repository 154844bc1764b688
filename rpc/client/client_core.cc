#include "rpc/client/client_core.h"

#include <algorithm>
#include <random>

#include <glog/logging.h>

#include "rpc/channel_arguments.h"
#include "rpc/client/methods.h"
#include "rpc/failure.h"

namespace decree::rpc {
namespace {

// How often one request is sent on at once because a node named another leader, or was of no use.
constexpr int kRedirectsMax = 4;
// Into how many shares a request's time is divided for endpoints that do not answer; less than the least would be
// no time to answer in.
constexpr int64_t kSharesMax = 3;
constexpr Duration kShareMin = Milliseconds(500);
// How long an endpoint is given to connect while there is another.
constexpr Duration kConnectTime = Milliseconds(200);
// How often a node is asked whether it is of use again, while none is; up to twice as long.
constexpr Duration kScoutEvery = Milliseconds(50);
// With less time left, a request is not sent again after a pause.
constexpr Duration kLastPause = Milliseconds(20);
// What a request holds beside its own bytes.
constexpr size_t kOverheadBytes = 1024;
// Its header comes to it.
constexpr size_t kRequestBytesMax = kClientMessageBytesMax - kOverheadBytes;
constexpr char kBudgetNote[] = "; the retry budget is used up";

uint64_t RandomSeed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

AttemptError ClosingError() { return LocalError(absl::StatusCode::kCancelled, "the client is shutting down"); }

// gRPC would refuse it, and not say what has become of it.
AttemptError TooLargeError(const Operation& operation) {
  return LocalError(absl::StatusCode::kInvalidArgument,
                    StrCat("the request takes ", operation.bytes, " bytes, more than the ", kRequestBytesMax,
                           " that any may; a value has 1 MiB at most"));
}

}  // namespace

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)),
      endpoints_(options_.endpoints, 0, options_.broken_time),
      budget_(options_.retry_budget, PosixClock().Now()),
      random_(RandomSeed()),
      loop_([this] {
        for (const EndpointLines& lines : lines_) lines.pipeline->Flush();
      }) {
  for (const std::string& endpoint : options_.endpoints) {
    const std::shared_ptr<grpc::Channel> channel = MakeClientChannel(endpoint);
    lines_.push_back({.channel = channel,
                      .kv = v1::KV::NewStub(channel),
                      .admin = v1::Admin::NewStub(channel),
                      .pipeline = MakePipeline(channel)});
  }
  loop_.Start();
}

std::unique_ptr<Pipeline> ClientCore::MakePipeline(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<Pipeline>(v1::KV::NewStub(channel), *loop_.queue(), loop_.clock(),
                                    [this, endpoint = lines_.size()](Time when) {
                                      loop_.At(when, [this, endpoint] { lines_[endpoint].pipeline->Expire(); });
                                    });
}

ClientCore::~ClientCore() {
  CHECK(!loop_.IsOwnThread()) << "a client must not be destroyed by its own callback";
  Work work;
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    std::vector<Operation*> idle;
    for (const auto& [id, operation] : operations_) {
      if (operation->state == Operation::State::kInFlight) {
        operation->Cancel();
      } else {
        idle.push_back(operation.get());
      }
    }
    for (Operation* const operation : idle) EndWith(*operation, ClosingError(), work);
  }
  Do(work);
  for (const EndpointLines& lines : lines_) lines.pipeline->Close();
  AwaitAllEnded();
  CloseSession();
  AwaitAllEnded();
  for (const EndpointLines& lines : lines_) lines.pipeline->AwaitClosed();
}

void ClientCore::AwaitAllEnded() {
  std::unique_lock lock(mutex_);
  all_ended_.wait(lock, [this] { return operations_.empty() && ending_ == 0; });
}

void ClientCore::StartNodeStatus(size_t endpoint, Client::Callback<v1::NodeStatusResponse> done) {
  CHECK_LT(endpoint, lines_.size());
  OperationPtr operation =
      MakeOperation<NodeStatusMethod>(Operation::Kind::kNodeStatus, v1::NodeStatusRequest(), std::move(done));
  operation->endpoint = endpoint;
  Submit(std::move(operation));
}

void ClientCore::Submit(OperationPtr owned) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    Operation& operation = Add(std::move(owned));
    if (is_closing_) {
      EndWith(operation, ClosingError(), work);
    } else if (operation.bytes > kRequestBytesMax) {
      EndWith(operation, TooLargeError(operation), work);
    } else if (pending_bytes_ > options_.pending_bytes_max) {
      EndWith(operation,
              LocalError(absl::StatusCode::kResourceExhausted, StrCat("requests of ", pending_bytes_,
                                                                      " bytes wait for an answer; the "
                                                                      "limit is ",
                                                                      options_.pending_bytes_max)),
              work);
    } else {
      Begin(operation, work);
    }
  }
  Do(work);
}

Operation& ClientCore::Add(OperationPtr owned) {
  Operation& operation = *owned;
  operation.id = next_id_++;
  operation.deadline = loop_.Now() + options_.timeout;
  pending_bytes_ += operation.bytes + kOverheadBytes;
  operations_.emplace(operation.id, std::move(owned));
  return operation;
}

void ClientCore::Do(Work& work) {
  for (Operation* const operation : work.send) {
    operation->Send(lines_[operation->endpoint], loop_);
  }
  if (work.end.empty()) return;
  if (!loop_.IsOwnThread()) {
    auto rest = std::make_shared<Work>();
    rest->end = std::move(work.end);
    loop_.At(loop_.Now(), [this, rest] { Do(*rest); });
    return;
  }
  for (const auto& [operation, status] : work.end) operation->End(status);
  const std::lock_guard lock(mutex_);
  ending_ -= work.end.size();
  if (is_closing_) all_ended_.notify_all();
}

// ---- Attempts ----

Endpoints::Choice ClientCore::Choose(const Operation& operation, Time now) {
  switch (operation.kind) {
    case Operation::Kind::kNodeStatus:
      return {.endpoint = operation.endpoint};
    case Operation::Kind::kStaleRead:
      return endpoints_.ChooseAny(now);
    default:
      return endpoints_.ChooseForLeader(now);
  }
}

void ClientCore::Begin(Operation& operation, Work& work) {
  const Time now = loop_.Now();
  if (now >= operation.deadline) {
    return EndWith(operation,
                   operation.why.value_or(LocalError(absl::StatusCode::kDeadlineExceeded, "the deadline has passed")),
                   work);
  }
  if (options_.sessions && operation.IsWrite() && !EnterSession(operation, work)) return;
  if (!parked_.empty() && NeedsLeader(operation)) return Park(operation, work);
  Send(operation, now, work);
}

void ClientCore::Send(Operation& operation, Time now, Work& work) {
  const Endpoints::Choice choice = Choose(operation, now);
  operation.endpoint = choice.endpoint;
  operation.asked_leader_only = choice.no_forwarding;
  operation.sent_at = now;
  operation.state = Operation::State::kInFlight;
  ++operation.attempts;

  v1::RequestHeader header;
  header.set_no_forwarding(choice.no_forwarding);
  header.set_session(operation.session);
  header.set_number(operation.number);
  if (operation.number != 0) header.set_first_unanswered(FloorFor(operation));
  operation.Prepare(header);

  operation.give_up_at = now + PatienceFor(operation, now);
  work.send.push_back(&operation);
  if (endpoints_.size() == 1 || endpoints_.IsProven(choice.endpoint)) return;
  loop_.At(now + kConnectTime,
           [this, id = operation.id, attempt = operation.attempts] { OnConnectTimePassed(id, attempt); });
}

Duration ClientCore::PatienceFor(const Operation& operation, Time now) const {
  const Duration left = operation.deadline - now;
  // A single endpoint gets all of the time.
  if (endpoints_.size() == 1 || !MayBeSentAgain(operation)) return left;
  // Each endpoint that may have to be tried yet gets its share. What is not repeatable is sent once.
  const int64_t shares = IsRepeatable(operation) ? std::min<int64_t>(kSharesMax, endpoints_.size()) : 1;
  const Duration share = left / std::max<int64_t>(shares - operation.silences, 1);
  return std::min({left, options_.attempt_timeout, std::max(share, kShareMin)});
}

void ClientCore::OnConnectTimePassed(uint64_t id, int attempt) {
  Operation* operation = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = operations_.find(id);
    if (found == operations_.end()) return;
    operation = found->second.get();
    const bool is_under_way = operation->state == Operation::State::kInFlight && operation->attempts == attempt;
    if (!is_under_way || endpoints_.IsProven(operation->endpoint) || !MayBeSentAgain(*operation)) return;
  }
  // Attempts end on this thread only, so it is still under way.
  operation->Withdraw(lines_[operation->endpoint]);
}

void ClientCore::OnAttemptEnded(Operation& operation) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    if (operation.end.status.ok()) {
      if (operation.asked_leader_only) {
        endpoints_.OnLed(operation.endpoint);
      } else {
        endpoints_.OnAnswered(operation.endpoint);
      }
      budget_.OnSuccess();
      if (NeedsLeader(operation)) Unpark(work);
      End(operation, OkStatus(), work);
    } else {
      OnFailed(operation, work);
    }
  }
  Do(work);
}

void ClientCore::OnFailed(Operation& operation, Work& work) {
  const Time now = loop_.Now();
  AttemptError error = ReadAttemptError(operation.end, endpoints_.address(operation.endpoint), now - operation.sent_at);
  if (error.is_silent) ++operation.silences;
  NoteEndpoint(operation, error, now);
  if (is_closing_) {
    operation.may_have_run |= error.may_have_run;
    return EndWith(operation, ClosingError(), work);
  }
  if (error.detail.reason() == v1::ErrorDetail::REASON_SESSION_UNKNOWN && RenewSession(operation, work)) {
    return;
  }
  operation.may_have_run |= error.may_have_run;
  if (NeedsLeader(operation) && !error.is_transient && !error.is_broken) Unpark(work);
  // An attempt that the request's deadline has cut short tells less than the one before it.
  const bool was_cut_short =
      error.code == absl::StatusCode::kDeadlineExceeded && operation.give_up_at >= operation.deadline;
  if (was_cut_short && operation.why.has_value()) return EndWith(operation, *operation.why, work);
  operation.why = error;
  if (error.asks_another) operation.said = error;
  if (!error.is_transient || !MayBeSentAgain(operation)) return EndWith(operation, error, work);
  if (IsRedirected(operation, error, now)) {
    ++operation.redirects;
    return Send(operation, now, work);
  }
  if (error.asks_another && NeedsLeader(operation)) {
    why_parked_ = error;
    CutVerdict(why_parked_.text);  // That is over this one.
    return Park(operation, work);
  }
  Pause(operation, work);
}

void ClientCore::NoteEndpoint(const Operation& operation, const AttemptError& error, Time now) {
  if (error.is_silent) return endpoints_.OnSilent(operation.endpoint, now);
  if (error.is_broken) return endpoints_.OnBroken(operation.endpoint, now);
  endpoints_.OnAnswered(operation.endpoint);
  const bool is_unavailable = error.code == absl::StatusCode::kUnavailable;
  if (is_unavailable) endpoints_.OnNotLeading(operation.endpoint);
  if (error.asks_another) endpoints_.OnOfNoUse(operation.endpoint, now);
  const std::string& leader = error.detail.leader_address();
  if (leader.empty() || (is_unavailable && leader == endpoints_.address(operation.endpoint))) return;
  endpoints_.OnLeaderHint(leader, now);
}

bool ClientCore::IsRedirected(const Operation& operation, const AttemptError& error, Time now) const {
  if (error.code != absl::StatusCode::kUnavailable || operation.redirects >= kRedirectsMax) return false;
  if (now >= operation.deadline) return false;
  if (error.asks_another) return endpoints_.HasAnother(operation.endpoint, now);
  return operation.asked_leader_only && !error.may_have_run && !error.detail.leader_address().empty() &&
         endpoints_.leader() != operation.endpoint;
}

void ClientCore::Pause(Operation& operation, Work& work) {
  const Time now = loop_.Now();
  const Duration left = operation.deadline - now;
  const Duration least = operation.why->retry_after();
  if (left < kLastPause || least >= left) return EndWith(operation, *operation.why, work);
  // Near the end it is tried more often again, rather than given up with time left.
  const Duration pause = least + std::min(Backoff(options_.backoff, ++operation.failures, random_), (left - least) / 2);
  operation.state = Operation::State::kPausing;
  loop_.At(now + pause, [this, id = operation.id] { OnPauseEnded(id); });
}

void ClientCore::OnPauseEnded(uint64_t id) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    const auto found = operations_.find(id);
    if (found == operations_.end()) return;
    Operation& operation = *found->second;
    AttemptError& why = *operation.why;
    if (why.was_sent && !budget_.TryTake(loop_.Now())) {
      if (!why.text.ends_with(kBudgetNote)) why.text += kBudgetNote;
      Pause(operation, work);
    } else {
      Begin(operation, work);
    }
  }
  Do(work);
}

// ---- While no node is of use ----

bool ClientCore::NeedsLeader(const Operation& operation) {
  return operation.kind != Operation::Kind::kStaleRead && operation.kind != Operation::Kind::kNodeStatus;
}

void ClientCore::Park(Operation& operation, Work& work) {
  if (!operation.why.has_value()) operation.why = why_parked_;
  const Time now = loop_.Now();
  if (now + kScoutEvery >= operation.deadline) return EndWith(operation, *operation.why, work);
  operation.state = Operation::State::kParked;
  // A scout comes back here after each attempt; the timer is set once.
  if (!std::exchange(operation.was_parked, true)) {
    loop_.At(operation.deadline - kScoutEvery, [this, id = operation.id] { OnParkedForLong(id); });
  }
  parked_.push_back(operation.id);
  SetScout(now);
}

void ClientCore::OnParkedForLong(uint64_t id) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    const auto found = operations_.find(id);
    if (found == operations_.end() || found->second->state != Operation::State::kParked) return;
    EndWith(*found->second, *found->second->why, work);
  }
  Do(work);
}

void ClientCore::SetScout(Time now) {
  if (std::exchange(is_scout_set_, true)) return;
  loop_.At(now + random_.Between(kScoutEvery, 2 * kScoutEvery), [this] { OnScoutDue(); });
}

void ClientCore::OnScoutDue() {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    is_scout_set_ = false;
    const Time now = loop_.Now();
    while (!parked_.empty()) {
      const auto found = operations_.find(parked_.front());
      parked_.pop_front();
      if (found == operations_.end()) continue;
      Send(*found->second, now, work);
      break;
    }
    if (!parked_.empty()) SetScout(now);
  }
  Do(work);
}

void ClientCore::Unpark(Work& work) {
  for (const uint64_t id : std::exchange(parked_, {})) {
    const auto found = operations_.find(id);
    if (found != operations_.end()) Begin(*found->second, work);
  }
}

bool ClientCore::MayBeSentAgain(const Operation& operation) {
  if (operation.kind == Operation::Kind::kNodeStatus) return false;
  return IsRepeatable(operation) || !operation.may_have_run;
}

bool ClientCore::IsRepeatable(const Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::kWrite:
      return operation.session != 0;
    case Operation::Kind::kRead:
    case Operation::Kind::kStaleRead:
    case Operation::Kind::kRepeatable:
      return true;
    case Operation::Kind::kLeaderOnly:
    case Operation::Kind::kNodeStatus:
      return false;
  }
  return false;
}

// ---- The end ----

void ClientCore::EndWith(Operation& operation, const AttemptError& error, Work& work) {
  const bool is_unknown = operation.IsWrite() && operation.may_have_run;
  if (is_unknown && operation.session == session_.id) session_.has_unknown = true;
  const AttemptError& told = error.is_broken && operation.said.has_value() ? *operation.said : error;
  End(operation,
      MakeRequestError(told, {.what = operation.name,
                              .is_write = operation.IsWrite(),
                              .is_read = operation.IsRead(),
                              .may_have_run = operation.may_have_run,
                              .attempts = operation.attempts,
                              .session = operation.session,
                              .number = operation.number}),
      work);
}

void ClientCore::End(Operation& operation, Status status, Work& work) {
  pending_bytes_ -= operation.bytes + kOverheadBytes;
  std::erase(waiting_, operation.id);
  // What is given up counts as answered: should a copy of it arrive later, it is not carried out.
  if (operation.number != 0 && operation.session == session_.id) {
    session_.numbers.End(operation.number);
  }
  ++ending_;
  work.end.emplace_back(std::move(operations_.extract(operation.id).mapped()), std::move(status));
}

}  // namespace decree::rpc
