#pragma once
// What a replicated state machine must offer. The log orders commands and knows nothing of what they
// mean; `kv` implements this.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/base/ids.h"

namespace decree::paxos {

// What a slot holds for the state machine. The bytes are the caller's and live as long as the call.
struct SlotCommands {
  Slot slot;
  // Never goes back, except that a slot may have none (0): then the last one goes on to hold.
  LogTime log_time;
  // In their order; empty for a no-op.
  std::vector<std::string_view> commands;
  // The encoded membership record, if this slot changes it; else empty. To be kept and given back.
  std::string_view configuration;
};

// What a command's execution answers to whoever sent it; the bytes are the state machine's own.
struct CommandAnswer {
  Slot slot;
  uint32_t index = 0;  // in the slot's commands
  std::string bytes;
};

// Passive, for one thread.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // The last slot whose effects the state holds; after a restart, the last that were durable.
  virtual Slot applied() const = 0;
  // The last configuration that a slot brought; empty if none did.
  virtual std::string configuration() const = 0;
  // The highest log time of any applied slot.
  virtual LogTime log_time() const = 0;

  // Applies slots in order, beginning with applied() + 1 and without gaps, and appends one answer for every command;
  // `answers` is null where nobody waits for them. The results depend on the state and the slots alone, not on how they
  // are grouped into calls. Bytes that are not a command of this state machine are answered with an error, the same on
  // every replica. A failure of the machine (a disk error) ends the process.
  virtual void Apply(std::span<const SlotCommands> slots, std::vector<CommandAnswer>* answers) = 0;
};

}  // namespace decree::paxos
