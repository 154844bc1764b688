#pragma once
// What a command may be. It is checked at the door, so that clients hear of it at once, and again when it is applied,
// so that all replicas agree.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "decree/v1/log.pb.h"
#include "paxos/base/status.h"

namespace decree::kv {

// The limits are part of the state machine: replicas that disagreed on them would differ.
inline constexpr size_t kKeyBytesMax = 4 << 10;
inline constexpr size_t kValueBytesMax = 1 << 20;
inline constexpr size_t kOwnerBytesMax = 255;

// Errors are kInvalidArgument, with the limit and the size.
Status CheckKey(std::string_view key);
Status CheckValue(std::string_view value);

// Nothing if these are not the bytes of a command that this program knows.
std::optional<v1::Command> ParseCommand(std::string_view bytes);
// Whether it has an operation with all that it needs, and a session where that needs one.
bool IsWellFormed(const v1::Command& command);
// Whether it is a request about keys: one that a session keeps the answer to.
bool DoesSomethingToKeys(const v1::Command& command);
// The hash of what is asked, whatever the session and number; never 0. Changes nothing.
uint64_t RequestHash(v1::Command& command);
// Checks keys, values and expectations. Errors are kInvalidArgument.
Status CheckCommand(const v1::Command& command);

}  // namespace decree::kv
