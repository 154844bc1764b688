#include "kv/state_machine.h"

#include <utility>

#include <glog/logging.h>

#include "kv/command.h"
#include "paxos/base/byte_reader.h"
#include "paxos/base/probe.h"

namespace decree::kv {
namespace {

constexpr uint8_t kStateFormat = 1;
// While many slots are applied at once, what is written at once is about this much at most.
constexpr size_t kBatchBytes = 4 << 20;

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
                                                ", the newest that this program reads is ",
                                                kStateFormat, "; start a newer decreed"));
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

// The outcome in bytes of our own making, which stay the same whatever Protobuf does.
std::string OutcomeBytes(const v1::CommandResult& result) {
  std::string out;
  PutU8(out, static_cast<uint8_t>(result.refusal()));
  PutU64(out, result.revision());
  PutU8(out, static_cast<uint8_t>((result.found() ? 1 : 0) | (result.changed() ? 2 : 0)));
  PutU64(out, result.version());
  PutString(out, result.previous().value());
  return out;
}

bool IsAsExpected(const v1::CompareAndSwapOperation& swap, const KeyRecord* head) {
  if (swap.expected_case() == v1::CompareAndSwapOperation::kExpectedAbsent) return head == nullptr;
  if (head == nullptr) return false;
  switch (swap.expected_case()) {
    case v1::CompareAndSwapOperation::kExpectedValue:
      return head->value == swap.expected_value();
    case v1::CompareAndSwapOperation::kExpectedVersion:
      return head->version == swap.expected_version();
    case v1::CompareAndSwapOperation::kExpectedModRevision:
      return head->modified.main == swap.expected_mod_revision();
    default:
      return false;
  }
}

}  // namespace

v1::KeyValue ToKeyValue(std::string_view key, const KeyRecord& record) {
  v1::KeyValue kv;
  kv.set_key(key.data(), key.size());
  kv.set_value(record.value);
  kv.set_create_revision(record.create_revision);
  kv.set_mod_revision(record.modified.main);
  kv.set_version(record.version);
  kv.set_lease(record.lease);
  return kv;
}

// ---- Reads ----

std::optional<KeyRecord> View::Get(std::string_view key) const {
  const std::optional<std::string> bytes = snapshot_->Get(HeadKey(key));
  if (!bytes.has_value()) return std::nullopt;
  return RequireKeyRecord(*bytes);
}

StatusOr<std::optional<KeyRecord>> View::GetAt(std::string_view key, uint64_t revision) const {
  if (revision > state_.revision) {
    return absl::OutOfRangeError(StrCat("revision ", revision, " is not made yet; the newest is ",
                                        state_.revision));
  }
  std::optional<KeyRecord> found = Get(key);
  if (found.has_value() && found->modified.main <= revision) return found;
  found.reset();
  // All changes within the revision count, so the search begins behind its highest sub-revision.
  snapshot_->Scan(HistoryKey(key, {.main = revision, .sub = UINT32_MAX}), HistoryEnd(key),
                  [&](std::string_view, std::string_view bytes) {
                    KeyRecord record = RequireKeyRecord(bytes);
                    if (!record.deleted) found = std::move(record);
                    return false;
                  });
  return found;
}

std::shared_ptr<const View> StateMachine::view() {
  if (view_ == nullptr) view_ = std::make_shared<const View>(state_, store_.TakeSnapshot());
  return view_;
}

// ---- Opening ----

StateMachine::StateMachine(Store& store, const State& state, std::string configuration)
    : store_(store), state_(state), configuration_(std::move(configuration)) {}

StatusOr<std::unique_ptr<StateMachine>> StateMachine::Open(Store& store, const std::string& owner) {
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
  return std::unique_ptr<StateMachine>(new StateMachine(
      store, state, store.Get(MetaKey(Meta::kConfiguration)).value_or(std::string())));
}

// ---- Applying ----

void StateMachine::Apply(std::span<const paxos::SlotCommands> slots,
                         std::vector<paxos::CommandAnswer>& answers) {
  Overlay overlay(store_, state_.digest);
  for (const paxos::SlotCommands& slot : slots) {
    CHECK_EQ(slot.slot, state_.applied.Next());
    state_.log_time = std::max(state_.log_time, slot.log_time);
    for (uint32_t index = 0; index < slot.commands.size(); ++index) {
      const v1::CommandResult result = Execute(slot.commands[index], overlay);
      overlay.Digest(OutcomeBytes(result));
      answers.push_back(
          {.slot = slot.slot, .index = index, .bytes = result.SerializeAsString()});
    }
    if (!slot.configuration.empty()) {
      configuration_ = slot.configuration;
      overlay.PutMeta(Meta::kConfiguration, configuration_);
      overlay.Digest(configuration_);
    }
    state_.applied = slot.slot;
    state_.digest = overlay.digest();
    if (overlay.bytes() >= kBatchBytes) Flush(overlay);
  }
  Flush(overlay);
}

void StateMachine::Flush(Overlay& overlay) {
  overlay.PutMeta(Meta::kState, EncodeState(state_));
  overlay.Flush();
  view_.reset();
}

v1::CommandResult StateMachine::Execute(std::string_view bytes, Overlay& overlay) {
  v1::CommandResult result;
  const std::optional<v1::Command> command = ParseCommand(bytes);
  if (!command.has_value() || command->operation_case() == v1::Command::OPERATION_NOT_SET) {
    PROBE("a malformed command was applied");
    result.set_refusal(v1::CommandResult::REFUSAL_MALFORMED);
  } else if (!CheckCommand(*command).ok()) {
    result.set_refusal(v1::CommandResult::REFUSAL_LIMIT);
  } else if (command->session() != 0) {
    result.set_refusal(v1::CommandResult::REFUSAL_SESSION_UNKNOWN);
  } else if (command->guard() != 0) {
    result.set_refusal(v1::CommandResult::REFUSAL_GUARD);
  } else if (command->has_put()) {
    Put(command->put(), overlay, result);
  } else if (command->has_delete_()) {
    Delete(command->delete_(), overlay, result);
  } else {
    CompareAndSwap(command->compare_and_swap(), overlay, result);
  }
  result.set_revision(state_.revision);
  result.set_store_epoch(state_.epoch);
  return result;
}

void StateMachine::Put(const v1::PutOperation& put, Overlay& overlay, v1::CommandResult& result) {
  if (const KeyRecord* const head = overlay.Head(put.key())) {
    result.set_found(true);
    if (put.return_previous()) *result.mutable_previous() = ToKeyValue(put.key(), *head);
  }
  Set(put.key(), put.value(), overlay, result);
}

void StateMachine::Delete(const v1::DeleteOperation& del, Overlay& overlay,
                          v1::CommandResult& result) {
  const KeyRecord* const head = overlay.Head(del.key());
  if (head == nullptr) return;  // Changes nothing, so it takes no revision.
  result.set_found(true);
  result.set_changed(true);
  if (del.return_previous()) *result.mutable_previous() = ToKeyValue(del.key(), *head);
  overlay.AddHistory(del.key(), *head);
  ++state_.revision;
  overlay.AddHistory(del.key(), {.deleted = true, .modified = {.main = state_.revision}});
  overlay.RemoveHead(del.key());
}

void StateMachine::CompareAndSwap(const v1::CompareAndSwapOperation& swap, Overlay& overlay,
                                  v1::CommandResult& result) {
  const KeyRecord* const head = overlay.Head(swap.key());
  if (head != nullptr) {
    result.set_found(true);
    *result.mutable_previous() = ToKeyValue(swap.key(), *head);
  }
  if (IsAsExpected(swap, head)) Set(swap.key(), swap.value(), overlay, result);
}

void StateMachine::Set(const std::string& key, const std::string& value, Overlay& overlay,
                       v1::CommandResult& result) {
  ++state_.revision;
  KeyRecord record{.create_revision = state_.revision,
                   .modified = {.main = state_.revision},
                   .version = 1,
                   .value = value};
  if (const KeyRecord* const head = overlay.Head(key)) {
    record.create_revision = head->create_revision;
    record.version = head->version + 1;
    overlay.AddHistory(key, *head);
  }
  result.set_changed(true);
  result.set_version(record.version);
  overlay.SetHead(key, std::move(record));
}

}  // namespace decree::kv
