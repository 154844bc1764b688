#include "tests/sim/sim_client.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace decree::sim {
namespace {

using check::Ending;
using check::Expectation;
using check::Operation;
using check::OperationKind;

constexpr Duration kAttemptMin = Milliseconds(300);
constexpr Duration kAttemptMax = Seconds(2);

bool IsRead(const v1::Command& command) { return command.operation_case() == v1::Command::OPERATION_NOT_SET; }

}  // namespace

SimClient::SimClient(World& world, Nodes& nodes, SeenCells& seen, uint32_t id, bool uses_sessions, Random random)
    : world_(world), nodes_(nodes), seen_(seen), id_(id), random_(random), uses_sessions_(uses_sessions) {}

void SimClient::Begin() {
  for (uint32_t lane = 0; lane < world_.swarm.lanes; ++lane) {
    world_.queue.After(random_.Between(Duration(0), world_.swarm.think_max), [this] { NextOperation(); });
  }
}

// ---- What to ask ----

void SimClient::NextOperation() {
  if (stopped_) return;
  if (random_.Chance(0.005)) SendMalformed();
  if (random_.Chance(0.01)) CloseSession();
  Operation operation;
  v1::Command command;
  Draw(operation, command);
  const CallPtr call = NewCall(std::move(operation), random_.Between(Milliseconds(500), Seconds(8)));
  call->command = std::move(command);
  call->done = [this](bool) {
    world_.queue.After(random_.Between(Duration(0), world_.swarm.think_max), [this] { NextOperation(); });
  };
  Start(call);
}

SimClient::CallPtr SimClient::NewCall(Operation operation, Duration patience) {
  const auto call = std::make_shared<Call>();
  operation.client = id_;
  operation.invoked = Now();
  call->entry = world_.history.size();
  call->give_up = world_.queue.now() + patience;
  world_.history.push_back(std::move(operation));
  return call;
}

std::string SimClient::DrawKey() {
  const int64_t generation = Now() / world_.swarm.key_life.count();
  return StrCat("h", random_.Below(world_.swarm.hot_keys), ".", generation);
}

std::string SimClient::NewValue() {
  std::string value = StrCat("c", id_, "-", next_value_++, "-");
  if (world_.swarm.value_bytes_max > 0) {
    value.append(random_.Below(world_.swarm.value_bytes_max), 'x');
  }
  return value;
}

void SimClient::SendMalformed() {
  std::string bytes = "\xff";
  for (uint64_t size = random_.Below(20); size > 0; --size) {
    bytes.push_back(static_cast<char>(random_.Below(256)));
  }
  PickNode().Do([bytes](paxos::Node& process) {
    process.Propose(bytes, kTimeNever, [](const paxos::ProposalEnd& end) {
      if (end.kind != paxos::ProposalEnd::Kind::kApplied) return;
      v1::CommandResult result;
      CHECK(result.ParseFromString(end.answer));
      CHECK_EQ(result.refusal(), v1::CommandResult::REFUSAL_MALFORMED);
    });
  });
}

void SimClient::Draw(Operation& operation, v1::Command& command) {
  if (random_.Chance(0.04)) return DrawCount(operation, command);
  operation.key = DrawKey();
  const uint64_t dice = random_.Below(100);
  if (dice < 35) {
    operation.kind = OperationKind::kPut;
    operation.value = NewValue();
    command.mutable_put()->set_key(operation.key);
    command.mutable_put()->set_value(operation.value);
    command.mutable_put()->set_return_previous(random_.Chance(0.5));
  } else if (dice < 45) {
    operation.kind = OperationKind::kDelete;
    command.mutable_delete_()->set_key(operation.key);
    command.mutable_delete_()->set_return_previous(random_.Chance(0.5));
  } else if (dice < 70) {
    operation.kind = OperationKind::kCompareAndSwap;
    operation.value = NewValue();
    DrawSwap(operation.key, operation, command);
  } else {
    operation.kind = dice < 90 ? OperationKind::kGet : OperationKind::kStaleGet;
  }
}

// Counts up by one: by a put, which the key's version counts, or by a swap of a number.
void SimClient::DrawCount(Operation& operation, v1::Command& command) {
  if (random_.Chance(0.5)) {
    operation.kind = OperationKind::kPut;
    operation.key = kCountedByPuts;
    operation.value = NewValue();
    command.mutable_put()->set_key(operation.key);
    command.mutable_put()->set_value(operation.value);
    return;
  }
  operation.kind = OperationKind::kCompareAndSwap;
  operation.key = kCountedBySwaps;
  v1::CompareAndSwapOperation& swap = *command.mutable_compare_and_swap();
  swap.set_key(operation.key);
  const auto seen = seen_.find(operation.key);
  if (seen == seen_.end()) {
    operation.value = StrCat("1 ", NewValue());
    swap.set_expected_absent(true);
  } else {
    operation.value = StrCat(std::stoull(seen->second.value) + 1, " ", NewValue());
    operation.expected = {.kind = Expectation::Kind::kValue, .value = seen->second.value};
    swap.set_expected_value(seen->second.value);
  }
  swap.set_value(operation.value);
}

void SimClient::DrawSwap(const std::string& key, Operation& operation, v1::Command& command) {
  v1::CompareAndSwapOperation& swap = *command.mutable_compare_and_swap();
  swap.set_key(key);
  swap.set_value(operation.value);
  const auto seen = seen_.find(key);
  Expectation& expected = operation.expected;
  if (seen == seen_.end() || random_.Chance(0.1)) {
    expected.kind = Expectation::Kind::kAbsent;
    swap.set_expected_absent(true);
    return;
  }
  switch (random_.Below(3)) {
    case 0:
      expected = {.kind = Expectation::Kind::kValue, .value = seen->second.value};
      return swap.set_expected_value(expected.value);
    case 1:
      expected = {.kind = Expectation::Kind::kVersion, .value = {}, .number = seen->second.version};
      return swap.set_expected_version(expected.number);
    default:
      expected = {.kind = Expectation::Kind::kModRevision, .value = {}, .number = seen->second.mod_revision};
      return swap.set_expected_mod_revision(expected.number);
  }
}

void SimClient::ReadAtLast(const std::string& key, std::function<void()> done) {
  Operation operation;
  operation.kind = OperationKind::kGet;
  operation.key = key;
  const CallPtr call = NewCall(std::move(operation), Seconds(5));
  call->is_at_last = true;
  call->done = [this, key, done = std::move(done)](bool answered) { answered ? done() : ReadAtLast(key, done); };
  Start(call);
}

void SimClient::WriteAtLast(const std::string& key, std::function<void()> done) {
  Operation operation;
  operation.kind = OperationKind::kPut;
  operation.key = key;
  operation.value = NewValue();
  v1::Command command;
  command.mutable_put()->set_key(key);
  command.mutable_put()->set_value(operation.value);
  const CallPtr call = NewCall(std::move(operation), Seconds(5));
  call->is_at_last = true;
  call->command = std::move(command);
  call->done = [this, key, done = std::move(done)](bool answered) { answered ? done() : WriteAtLast(key, done); };
  Start(call);
}

// ---- Attempts ----

void SimClient::Start(const CallPtr& call) {
  ++active_;
  uses_sessions_ && !IsRead(call->command) ? StartInSession(call) : Attempt(call);
}

SimNode& SimClient::PickNode() {
  if (random_.Chance(0.3)) preferred_ = random_.Below(nodes_.size());
  return *nodes_[preferred_];
}

void SimClient::NoteLeader(const paxos::Node& process) {
  const paxos::NodeId leader = process.replica().leader();
  if (leader != paxos::kNoNode) preferred_ = leader.value() - 1;
}

void SimClient::Attempt(const CallPtr& call) {
  const uint32_t attempt = ++call->attempt;
  world_.queue.After(random_.Between(kAttemptMin, kAttemptMax), [this, call, attempt] { OnTimeout(call, attempt); });
  const bool is_stale_read = EntryOf(*call).kind == OperationKind::kStaleGet;
  SimNode& node = is_stale_read ? *nodes_[random_.Below(nodes_.size())] : PickNode();
  world_.trace.Print([&](auto& out) {
    out << 'c' << id_ << " asks n" << node.id() << ", attempt " << attempt << ": " << EntryOf(*call);
    if (IsInSession(*call)) {
      out << " session=" << call->command.session() << " number=" << call->command.number()
          << " floor=" << session_.numbers.floor();
    }
  });
  if (world_.network->DrawLoss()) return world_.trace.Count("request lost");
  world_.queue.After(world_.network->DrawDelay(), [this, call, attempt, &node] {
    if (!node.IsUp()) {
      // Sometimes the machine is there to say that nobody listens; at last, always.
      if (random_.Chance(0.5) || call->is_at_last) Retry(call, attempt);
      return;
    }
    IsRead(call->command) ? SendRead(call, node) : SendWrite(call, node);
  });
}

void SimClient::OnTimeout(const CallPtr& call, uint32_t attempt) {
  if (call->finished || call->attempt != attempt) return;
  call->may_be_proposed = true;
  preferred_ = random_.Below(nodes_.size());  // Another one may answer.
  const bool may_be_sent_again = IsRead(call->command) || IsInSession(*call);
  if (!may_be_sent_again || world_.queue.now() >= call->give_up) return GiveUp(call);
  world_.trace.Count("request repeated");
  Attempt(call);
}

void SimClient::Retry(const CallPtr& call, uint32_t attempt) {
  if (call->finished || call->attempt != attempt) return;
  if (world_.queue.now() >= call->give_up) return GiveUp(call);
  ++call->attempt;  // The timeout of this one is void.
  world_.queue.After(random_.Between(Milliseconds(1), Milliseconds(50)), [this, call] {
    if (!call->finished) Attempt(call);
  });
}

void SimClient::GiveUp(const CallPtr& call) {
  const bool settles = call->may_be_proposed && IsInSession(*call) && random_.Chance(world_.swarm.settle_share);
  settles ? Settle(call) : EndUnanswered(call);
}

void SimClient::EndUnanswered(const CallPtr& call) {
  Operation& operation = EntryOf(*call);
  operation.ending = call->may_be_proposed ? Ending::kUnknown : Ending::kNotExecuted;
  operation.returned = check::kNeverReturned;
  world_.trace.Count(call->may_be_proposed ? "outcome unknown" : "not executed");
  // What surely was not proposed has no copy under way.
  if (call->may_be_proposed || call->is_settled) ReplayLater(*call, nullptr);
  Finish(call, false);
}

void SimClient::Finish(const CallPtr& call, bool answered) {
  CHECK(!call->finished);
  call->finished = true;
  --active_;
  if (call->command.session() == session_.id) session_.numbers.End(call->command.number());
  if (call->done) call->done(answered);
}

void SimClient::SendWrite(const CallPtr& call, SimNode& node) {
  const uint32_t attempt = call->attempt;
  const Duration patience = random_.Between(Milliseconds(20), kAttemptMax);
  // The copy is made now, though it may arrive much later.
  const bool is_current = IsInSession(*call) && call->command.session() == session_.id;
  if (is_current) call->command.set_first_unanswered(session_.numbers.floor());
  const std::string bytes = call->command.SerializeAsString();
  node.Do([this, call, attempt, patience, bytes, &node](paxos::Node& process) {
    process.Propose(bytes, node.clock().Now() + patience, [this, call, attempt, &node](paxos::ProposalEnd end) {
      if (end.kind != paxos::ProposalEnd::Kind::kApplied) {
        return Return(node, [this, call, attempt, kind = end.kind] { OnNoResult(call, attempt, kind); });
      }
      Return(node, [this, call, attempt, answer = node.ReadAnswer(end.answer)] { OnResult(call, attempt, answer); });
    });
    NoteLeader(process);
  });
}

void SimClient::SendRead(const CallPtr& call, SimNode& node) {
  const uint32_t attempt = call->attempt;
  const std::string key = EntryOf(*call).key;
  const auto answer = [this, call, key, &node] {
    const KeyReading reading = node.ReadKey(key);
    const uint64_t process = node.life();
    Return(node, [this, call, reading, process] { OnReading(call, reading, process); });
  };
  const bool is_stale = EntryOf(*call).kind == OperationKind::kStaleGet;
  node.Do([this, call, attempt, answer, is_stale, &node](paxos::Node& process) {
    if (is_stale && process.replica().has_begun()) return answer();
    process.Read([this, call, attempt, answer, &node](paxos::ReadEnd end) {
      if (end.granted) return answer();
      Return(node, [this, call, attempt] { Retry(call, attempt); });
    });
  });
}

void SimClient::Return(SimNode& node, std::function<void()> deliver) {
  if (world_.network->DrawLoss()) return world_.trace.Count("answer lost");
  world_.queue.After(node.clock().spent() + world_.network->DrawDelay(), std::move(deliver));
}

// ---- Answers ----

void SimClient::TraceEnd(const Call& call, uint32_t attempt, paxos::ProposalEnd::Kind kind) {
  world_.trace.Print([&](auto& out) {
    out << 'c' << id_ << " hears of attempt " << attempt << ": end " << static_cast<int>(kind) << " for "
        << EntryOf(call);
  });
}

void SimClient::OnNoResult(const CallPtr& call, uint32_t attempt, paxos::ProposalEnd::Kind kind) {
  TraceEnd(*call, attempt, kind);
  switch (kind) {
    case paxos::ProposalEnd::Kind::kApplied:
      LOG(FATAL) << "it has a result";
    case paxos::ProposalEnd::Kind::kTooLarge:
      LOG(FATAL) << "a command of " << call->command.ByteSizeLong() << " bytes is too large";
    case paxos::ProposalEnd::Kind::kOverloaded:
      world_.trace.Count("overloaded");
      return Retry(call, attempt);
    case paxos::ProposalEnd::Kind::kSuperseded:
      world_.trace.Count("superseded");
      return Retry(call, attempt);
    case paxos::ProposalEnd::Kind::kDeadline:
      world_.trace.Count("deadline passed");
      return Retry(call, attempt);
    case paxos::ProposalEnd::Kind::kNotLeader:
      return Retry(call, attempt);
    case paxos::ProposalEnd::Kind::kUnknown:
      world_.trace.Count("lost sight of");
      return OnTimeout(call, attempt);
  }
}

void SimClient::OnResult(const CallPtr& call, uint32_t attempt, const WriteAnswer& answer) {
  TraceEnd(*call, attempt, paxos::ProposalEnd::Kind::kApplied);
  OnEnd(call, answer.result, answer.previous);
}

void SimClient::OnEnd(const CallPtr& call, const v1::CommandResult& result,
                      const std::optional<check::Cell>& previous) {
  if (call->finished) {
    CHECK(!call->is_settled || result.refusal() != v1::CommandResult::REFUSAL_NONE)
        << "carried out after it was settled: " << EntryOf(*call);
    return;
  }
  if (result.refusal() == v1::CommandResult::REFUSAL_SESSION_UNKNOWN) return OnSessionUnknown(call);
  if (result.refusal() == v1::CommandResult::REFUSAL_SESSION_FULL) {
    world_.queue.After(random_.Between(Milliseconds(20), Milliseconds(200)),
                       [this, call, attempt = call->attempt] { Retry(call, attempt); });
    return;
  }
  // Its own settling has overtaken it.
  if (result.refusal() == v1::CommandResult::REFUSAL_SETTLED) return;
  CHECK_EQ(result.refusal(), v1::CommandResult::REFUSAL_NONE)
      << result.ShortDebugString() << " for " << EntryOf(*call) << " session=" << call->command.session()
      << " number=" << call->command.number() << " floor=" << call->command.first_unanswered();
  ReplayLater(*call, &result);
  Operation& operation = EntryOf(*call);
  operation.ending = Ending::kAnswered;
  operation.returned = Now();
  operation.revision = result.revision();
  operation.changed = operation.kind == OperationKind::kPut || result.changed();
  operation.version = operation.changed && operation.kind != OperationKind::kDelete ? result.version() : 0;
  operation.tells_cell = operation.kind == OperationKind::kCompareAndSwap || call->command.put().return_previous() ||
                         call->command.delete_().return_previous();
  CHECK_EQ(previous.has_value(), operation.tells_cell && result.found()) << operation;
  operation.cell = previous;
  if (operation.changed && operation.kind == OperationKind::kDelete) {
    seen_.erase(operation.key);
  } else if (operation.changed) {
    seen_[operation.key] = {.value = operation.value, .mod_revision = operation.revision, .version = operation.version};
  }
  world_.trace.Count("write answered");
  Finish(call, true);
}

void SimClient::OnReading(const CallPtr& call, const KeyReading& reading, uint64_t process) {
  if (call->finished) return;
  Operation& operation = EntryOf(*call);
  operation.ending = Ending::kAnswered;
  operation.returned = Now();
  operation.revision = reading.revision;
  operation.tells_cell = true;
  operation.cell = reading.cell;
  operation.served_by = process;
  if (reading.cell.has_value()) seen_[operation.key] = *reading.cell;
  world_.trace.Count(operation.kind == OperationKind::kGet ? "read answered" : "stale read answered");
  Finish(call, true);
}

}  // namespace decree::sim
