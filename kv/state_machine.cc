#include "kv/state_machine.h"

#include <utility>

#include <glog/logging.h>

#include "kv/answer_block.h"
#include "kv/command.h"
#include "paxos/base/byte_reader.h"
#include "paxos/base/rare_case.h"

namespace decree::kv {
namespace {

constexpr uint8_t kStateFormat = 5;
// While many slots are applied at once, what is written at once is about this much at most.
constexpr size_t kBatchBytes = 4 << 20;
// A session's id is its position in the log: the slot, and in the lowest bits the index within it.
constexpr int kIndexBits = 20;

std::string EncodeState(const State& state) {
  std::string out;
  PutU8(out, kStateFormat);
  PutU64(out, state.applied.value());
  PutU64(out, state.log_time.value());
  PutU64(out, state.revision);
  PutU64(out, state.epoch);
  PutU64(out, state.digest);
  return out;
}

StatusOr<State> DecodeState(std::string_view bytes) {
  ByteReader reader(bytes);
  const uint8_t format = reader.U8();
  if (reader.ok() && format > kStateFormat) {
    return absl::FailedPreconditionError(StrCat("the store has format ", format,
                                                ", the newest that this program reads is ", kStateFormat,
                                                "; start a newer decreed"));
  }
  if (reader.ok() && format < kStateFormat) {
    return absl::FailedPreconditionError(StrCat("the store has format ", format,
                                                ", which this program does not read any more; move "
                                                "that directory away, and the node rebuilds it from its log"));
  }
  State state;
  state.applied = paxos::Slot(reader.U64());
  state.log_time = paxos::LogTime(reader.U64());
  state.revision = reader.U64();
  state.epoch = reader.U64();
  state.digest = reader.U64();
  if (!reader.AtEnd()) return absl::DataLossError("the store's state record is malformed");
  return state;
}

// The result in bytes of our own making, which stay the same whatever Protobuf does.
std::string ResultBytes(const v1::CommandResult& result) {
  std::string out;
  PutU8(out, static_cast<uint8_t>(result.refusal()));
  PutU64(out, result.revision());
  PutU8(out, static_cast<uint8_t>((result.found() ? 1 : 0) | (result.changed() ? 2 : 0)));
  PutU64(out, result.version());
  PutU64(out, result.previous_revision());
  PutU32(out, result.previous_value_bytes());
  PutU64(out, result.session());
  if (result.has_settled()) PutString(out, ResultBytes(result.settled()));
  return out;
}

// Reads the value only if it is as long as the one that is expected: what a comparison costs was paid by the bytes that
// the client has sent.
bool IsAsExpected(const v1::CompareAndSwapOperation& swap, Overlay& overlay) {
  const std::optional<KeyCounters>& head = overlay.CountersOf(swap.key());
  if (swap.expected_case() == v1::CompareAndSwapOperation::kExpectedAbsent) return !head.has_value();
  if (!head.has_value()) return false;
  switch (swap.expected_case()) {
    case v1::CompareAndSwapOperation::kExpectedValue:
      return head->value_bytes == swap.expected_value().size() &&
             overlay.RecordOf(swap.key())->value == swap.expected_value();
    case v1::CompareAndSwapOperation::kExpectedVersion:
      return head->version == swap.expected_version();
    case v1::CompareAndSwapOperation::kExpectedModRevision:
      return head->modified.main == swap.expected_mod_revision();
    default:
      return false;
  }
}

}  // namespace

// ---- Reads ----

std::optional<KeyRecord> StateMachine::Get(std::string_view key) { return newest_.RecordOf(key); }

size_t StateMachine::ValueBytes(std::string_view key) {
  const std::optional<KeyCounters> counters = newest_.CountersOf(key);
  return counters.has_value() ? counters->value_bytes : 0;
}

std::optional<std::string> StateMachine::AnswerTo(v1::Command& request) const {
  const uint64_t session = request.session();
  const uint64_t number = request.number();
  if (sessions_.FateOf(session, number, state_.log_time) != RequestFate::kEnded) return std::nullopt;
  if (sessions_.KeptOf(session, number).hash != RequestHash(request)) return std::nullopt;
  return StoredAnswer(session, number);
}

RequestFate StateMachine::FateOf(uint64_t session, uint64_t number, v1::CommandResult& result) const {
  const RequestFate fate = sessions_.FateOf(session, number, state_.log_time);
  if (fate == RequestFate::kEnded) {
    CHECK(result.ParseFromString(StoredAnswer(session, number))) << "an answer of our own making";
  }
  return fate;
}

std::string StateMachine::StoredAnswer(uint64_t session, uint64_t number) const {
  const std::optional<std::string> block = store_.Get(AnswersKey(session, sessions_.KeptOf(session, number).block));
  CHECK(block.has_value()) << "the store has lost answers of session " << session;
  return RequireAnswer(*block, number);
}

std::optional<v1::KeyValue> StateMachine::PreviousOf(const v1::CommandResult& result) const {
  const uint64_t revision = Telling(result).previous_revision();
  if (revision == 0) return std::nullopt;
  const std::optional<std::string> bytes = store_.Get(ChangeKey({.main = revision}));
  if (!bytes.has_value()) return std::nullopt;
  StatusOr<KeyChange> change = DecodeKeyChange(*bytes);
  CHECK(change.ok()) << change.status();
  return ToKeyValue(change->key, std::move(change->record));
}

std::shared_ptr<const View> StateMachine::view() {
  if (view_ == nullptr) view_ = std::make_shared<const View>(state_, store_.TakeSnapshot());
  return view_;
}

// ---- Opening ----

StateMachine::StateMachine(Store& store, const State& state, std::string configuration, Sessions sessions,
                           const MemoryOptions& memory)
    : store_(store),
      state_(state),
      configuration_(std::move(configuration)),
      sessions_(std::move(sessions)),
      newest_(store, memory) {}

StatusOr<std::unique_ptr<StateMachine>> StateMachine::Open(Store& store, const std::string& owner,
                                                           const MemoryOptions& memory) {
  const std::optional<std::string> found = store.Get(MetaKey(Meta::kOwner));
  if (!found.has_value()) {
    leveldb::WriteBatch batch;
    batch.Put(MetaKey(Meta::kOwner), owner);
    batch.Put(MetaKey(Meta::kState), EncodeState(State()));
    store.Write(batch);
  } else if (*found != owner) {
    return absl::FailedPreconditionError(
        "the store belongs to another node, or to this one before it was formatted anew; put every "
        "directory back where it came from, or move the store away to rebuild it from the log");
  }
  const std::optional<std::string> bytes = store.Get(MetaKey(Meta::kState));
  if (!bytes.has_value()) return absl::DataLossError("the store has no state record");
  ASSIGN_OR_RETURN(const State state, DecodeState(*bytes));
  ASSIGN_OR_RETURN(Sessions sessions, Sessions::Load(store));
  return std::unique_ptr<StateMachine>(new StateMachine(
      store, state, store.Get(MetaKey(Meta::kConfiguration)).value_or(std::string()), std::move(sessions), memory));
}

// ---- Applying ----

void StateMachine::Apply(std::span<const paxos::SlotCommands> slots, std::vector<paxos::CommandAnswer>* answers) {
  Overlay overlay(store_, newest_, state_.digest);
  for (const paxos::SlotCommands& slot : slots) {
    CHECK_EQ(slot.slot, state_.applied.Next());
    state_.log_time = std::max(state_.log_time, slot.log_time);
    sessions_.Expire(state_.log_time, overlay);
    for (uint32_t index = 0; index < slot.commands.size(); ++index) {
      const v1::CommandResult result = Execute(slot.commands[index], {.slot = slot.slot, .index = index}, overlay);
      overlay.Digest(ResultBytes(result));
      if (answers != nullptr) {
        answers->push_back({.slot = slot.slot, .index = index, .bytes = result.SerializeAsString()});
      }
    }
    if (!slot.configuration.empty()) {
      configuration_ = slot.configuration;
      overlay.PutMeta(Meta::kConfiguration, configuration_);
      overlay.Digest(configuration_);
    }
    sessions_.EndSlot(overlay);
    state_.applied = slot.slot;
    state_.digest = overlay.digest();
    if (overlay.bytes() >= kBatchBytes) Flush(overlay);
  }
  Flush(overlay);
}

void StateMachine::Flush(Overlay& overlay) {
  sessions_.Write(overlay);
  overlay.PutMeta(Meta::kState, EncodeState(state_));
  overlay.Flush();
  view_.reset();
}

v1::CommandResult StateMachine::Execute(std::string_view bytes, const Position& position, Overlay& overlay) {
  v1::CommandResult result;
  std::optional<v1::Command> command = ParseCommand(bytes);
  if (!command.has_value() || !IsWellFormed(*command)) {
    RARE_CASE("a malformed command was applied");
    result.set_refusal(v1::CommandResult::REFUSAL_MALFORMED);
  } else if (command->has_open_session()) {
    OpenSession(*command, position, overlay, result);
  } else if (command->has_close_session()) {
    CloseSession(*command, overlay, result);
  } else if (command->session() != 0) {
    ExecuteInSession(*command, overlay, result);
  } else {
    ExecuteOnKeys(*command, overlay, result);
  }
  // A repeated answer says what it said the first time.
  if (result.store_epoch() == 0) Stamp(result);
  return result;
}

void StateMachine::Stamp(v1::CommandResult& result) const {
  result.set_revision(state_.revision);
  result.set_store_epoch(state_.epoch);
}

void StateMachine::ExecuteOnKeys(v1::Command& command, Overlay& overlay, v1::CommandResult& result) {
  if (!CheckCommand(command).ok()) {
    result.set_refusal(v1::CommandResult::REFUSAL_LIMIT);
  } else if (command.guard() != 0) {
    result.set_refusal(v1::CommandResult::REFUSAL_GUARD);
  } else if (command.has_put()) {
    Put(*command.mutable_put(), overlay, result);
  } else if (command.has_delete_()) {
    Delete(command.delete_(), overlay, result);
  } else {
    CompareAndSwap(*command.mutable_compare_and_swap(), overlay, result);
  }
}

// ---- Sessions ----

void StateMachine::OpenSession(const v1::Command& command, const Position& position, Overlay& overlay,
                               v1::CommandResult& result) {
  CHECK_LT(position.index, 1u << kIndexBits) << "slot " << position.slot;
  const uint64_t session = position.slot.value() << kIndexBits | position.index;
  if (sessions_.Open(session, command.open_session(), state_.log_time, overlay)) {
    result.set_session(session);
  } else {
    result.set_refusal(v1::CommandResult::REFUSAL_TOO_MANY_SESSIONS);
  }
}

void StateMachine::CloseSession(const v1::Command& command, Overlay& overlay, v1::CommandResult& result) {
  if (!sessions_.Close(command.session(), state_.log_time, overlay)) {
    result.set_refusal(v1::CommandResult::REFUSAL_SESSION_UNKNOWN);
  }
}

void StateMachine::ExecuteInSession(v1::Command& command, Overlay& overlay, v1::CommandResult& result) {
  const SessionRequest request{.session = command.session(),
                               .number = command.number(),
                               .floor = command.first_unanswered(),
                               .hash = RequestHash(command)};
  std::string answer;
  const Sessions::Verdict verdict = sessions_.Admit(request, state_.log_time, overlay, answer);
  switch (verdict) {
    case Sessions::Verdict::kNew:
      if (command.has_settle()) return Settle(command, overlay, result);
      ExecuteOnKeys(command, overlay, result);
      Stamp(result);
      return sessions_.Keep(request, result.SerializeAsString(), overlay);
    case Sessions::Verdict::kRepeated:
      CHECK(result.ParseFromString(answer)) << "an answer of our own making";
      return;
    case Sessions::Verdict::kUnknown:
      return result.set_refusal(v1::CommandResult::REFUSAL_SESSION_UNKNOWN);
    case Sessions::Verdict::kBelowFloor:
      return result.set_refusal(v1::CommandResult::REFUSAL_BELOW_FLOOR);
    case Sessions::Verdict::kFull:
      return result.set_refusal(v1::CommandResult::REFUSAL_SESSION_FULL);
    case Sessions::Verdict::kReused:
      // The number is another request's, so that of the one which is to be settled.
      if (command.has_settle()) return Settle(command, overlay, result);
      return result.set_refusal(v1::CommandResult::REFUSAL_NUMBER_REUSED);
    case Sessions::Verdict::kSettled:
      if (command.has_settle()) return Settle(command, overlay, result);
      return result.set_refusal(v1::CommandResult::REFUSAL_SETTLED);
  }
}

void StateMachine::Settle(const v1::Command& command, Overlay& overlay, v1::CommandResult& result) {
  v1::CommandResult& settled = *result.mutable_settled();
  if (const auto ended = sessions_.Find(command.session(), command.number(), overlay)) {
    CHECK(settled.ParseFromString(*ended)) << "an answer of our own making";
    return;
  }
  RARE_CASE("a request was settled that had not come yet");
  settled.set_refusal(v1::CommandResult::REFUSAL_SETTLED);
  Stamp(settled);
  sessions_.Settle(command.session(), command.number(), settled.SerializeAsString(), overlay);
}

// ---- Keys ----

void StateMachine::Put(v1::PutOperation& put, Overlay& overlay, v1::CommandResult& result) {
  Find(put.key(), put.return_previous(), overlay, result);
  Set(put.key(), std::move(*put.mutable_value()), overlay, result);
}

void StateMachine::Delete(const v1::DeleteOperation& del, Overlay& overlay, v1::CommandResult& result) {
  Find(del.key(), del.return_previous(), overlay, result);
  if (!result.found()) return;  // Changes nothing, so it takes no revision.
  result.set_changed(true);
  ++state_.revision;
  overlay.Change(del.key(), {.counters = {.modified = {.main = state_.revision}}, .deleted = true});
}

void StateMachine::CompareAndSwap(v1::CompareAndSwapOperation& swap, Overlay& overlay, v1::CommandResult& result) {
  Find(swap.key(), /*tells=*/true, overlay, result);
  if (IsAsExpected(swap, overlay)) Set(swap.key(), std::move(*swap.mutable_value()), overlay, result);
}

void StateMachine::Find(const std::string& key, bool tells, Overlay& overlay, v1::CommandResult& result) {
  const std::optional<KeyCounters>& head = overlay.CountersOf(key);
  if (!head.has_value()) return;
  result.set_found(true);
  CHECK_EQ(head->modified.sub, 0u) << "a result has no room for it";
  if (!tells) return;
  result.set_previous_revision(head->modified.main);
  result.set_previous_value_bytes(head->value_bytes);
}

void StateMachine::Set(const std::string& key, std::string value, Overlay& overlay, v1::CommandResult& result) {
  ++state_.revision;
  KeyCounters counters{.create_revision = state_.revision,
                       .modified = {.main = state_.revision},
                       .version = 1,
                       .value_bytes = static_cast<uint32_t>(value.size())};
  if (const std::optional<KeyCounters>& before = overlay.CountersOf(key)) {
    counters.create_revision = before->create_revision;
    counters.version = before->version + 1;
  }
  result.set_changed(true);
  result.set_version(counters.version);
  overlay.Change(key, {.counters = counters, .value = std::move(value)});
}

}  // namespace decree::kv
