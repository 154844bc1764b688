#pragma once
// The replicated key-value store: applies the log's commands and answers reads.
//
// Deterministic: what a command does and answers depends on the state and the command alone, so all
// replicas that have applied the same slots hold the same state and the same `digest`. The applied
// slot is written in the same batch as the data, so after a crash the state is that of some slot, and
// the log is replayed from there. (kv/README.md has the keys; proto/decree/v1/log.proto has the
// commands.)
//
// Passive. One thread applies; `View`s may be read by any thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decree/v1/kv.pb.h"
#include "decree/v1/log.pb.h"
#include "kv/key_record.h"
#include "kv/newest_records.h"
#include "kv/overlay.h"
#include "kv/sessions.h"
#include "kv/store.h"
#include "kv/view.h"
#include "paxos/base/ids.h"
#include "paxos/base/state_machine.h"
#include "paxos/base/status.h"

namespace decree::kv {

class StateMachine final : public paxos::StateMachine {
 public:
  // Opens the state in `store`, which outlives the result. `owner` says whose state it is; a store
  // of another owner, or of a newer format, is refused.
  static StatusOr<std::unique_ptr<StateMachine>> Open(Store& store, const std::string& owner,
                                                      const MemoryOptions& memory = {});

  // ---- paxos::StateMachine ----

  paxos::Slot applied() const override { return state_.applied; }
  std::string configuration() const override { return configuration_; }
  paxos::LogTime log_time() const override { return state_.log_time; }
  void Apply(std::span<const paxos::SlotCommands> slots, std::vector<paxos::CommandAnswer>* answers) override;

  // ---- Reads ----

  const State& state() const { return state_; }
  // What the key holds as applied by now; nothing if there is no such key. Called by the applying thread.
  std::optional<KeyRecord> Get(std::string_view key);
  // The size of that value, without a look at it.
  size_t ValueBytes(std::string_view key);
  // The CommandResult, in bytes, of a session's request that was carried out before; nothing if it was not, if it is
  // none of a session, or if its number was another request's. Changes nothing. Called by the applying thread.
  std::optional<std::string> AnswerTo(v1::Command& request) const;
  // What has become of a session's request; if it has ended, `result` is filled in. Called by the applying thread.
  RequestFate FateOf(uint64_t session, uint64_t number, v1::CommandResult& result) const;
  // The result that tells of a record: the request's own, or that of the request which it has settled.
  static const v1::CommandResult& Telling(const v1::CommandResult& result) {
    return result.has_settled() ? result.settled() : result;
  }
  // The record that a result tells of; nothing if it tells of none, or if it is not here. Called by the applying
  // thread.
  std::optional<v1::KeyValue> PreviousOf(const v1::CommandResult& result) const;
  // The state as applied by now; the same object until the next Apply. Called by the applying thread.
  std::shared_ptr<const View> view();
  uint64_t SizeBytes() const { return store_.SizeBytes(); }
  Sessions::Usage session_usage() const { return sessions_.usage(); }

 private:
  // The position of a command in the log.
  struct Position {
    paxos::Slot slot;
    uint32_t index = 0;
  };

  StateMachine(Store& store, const State& state, std::string configuration, Sessions sessions,
               const MemoryOptions& memory);

  v1::CommandResult Execute(std::string_view bytes, const Position& position, Overlay& overlay);
  void ExecuteInSession(v1::Command& command, Overlay& overlay, v1::CommandResult& result);
  void OpenSession(const v1::Command& command, const Position& position, Overlay& overlay, v1::CommandResult& result);
  void CloseSession(const v1::Command& command, Overlay& overlay, v1::CommandResult& result);
  void Settle(const v1::Command& command, Overlay& overlay, v1::CommandResult& result);
  // What the command does to keys.
  void ExecuteOnKeys(v1::Command& command, Overlay& overlay, v1::CommandResult& result);
  void Stamp(v1::CommandResult& result) const;
  std::string StoredAnswer(uint64_t session, uint64_t number) const;
  void Put(v1::PutOperation& put, Overlay& overlay, v1::CommandResult& result);
  void Delete(const v1::DeleteOperation& del, Overlay& overlay, v1::CommandResult& result);
  void CompareAndSwap(v1::CompareAndSwapOperation& swap, Overlay& overlay, v1::CommandResult& result);
  // Sets in `result` whether the key is there and, if the operation asks for it, which record it has.
  void Find(const std::string& key, bool tells, Overlay& overlay, v1::CommandResult& result);
  void Set(const std::string& key, std::string value, Overlay& overlay, v1::CommandResult& result);
  void Flush(Overlay& overlay);

  Store& store_;
  State state_;
  std::string configuration_;
  Sessions sessions_;
  NewestRecords newest_;
  std::shared_ptr<const View> view_;  // null after an Apply, until somebody asks
};

}  // namespace decree::kv
