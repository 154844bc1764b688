#include "kv/command.h"

namespace decree::kv {

Status CheckKey(std::string_view key) {
  if (key.empty()) return absl::InvalidArgumentError("the key is empty; it has 1 to 4096 bytes");
  if (key.size() <= kKeyBytesMax) return OkStatus();
  return absl::InvalidArgumentError(
      StrCat("the key has ", key.size(), " bytes; the limit is ", kKeyBytesMax));
}

Status CheckValue(std::string_view value) {
  if (value.size() <= kValueBytesMax) return OkStatus();
  return absl::InvalidArgumentError(
      StrCat("the value has ", value.size(), " bytes; the limit is ", kValueBytesMax));
}

std::optional<v1::Command> ParseCommand(std::string_view bytes) {
  v1::Command command;
  if (!command.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return command;
}

Status CheckCommand(const v1::Command& command) {
  switch (command.operation_case()) {
    case v1::Command::kPut:
      RETURN_IF_ERROR(CheckKey(command.put().key()));
      return CheckValue(command.put().value());
    case v1::Command::kDelete:
      return CheckKey(command.delete_().key());
    case v1::Command::kCompareAndSwap: {
      const v1::CompareAndSwapOperation& swap = command.compare_and_swap();
      RETURN_IF_ERROR(CheckKey(swap.key()));
      RETURN_IF_ERROR(CheckValue(swap.value()));
      switch (swap.expected_case()) {
        case v1::CompareAndSwapOperation::kExpectedValue:
          return CheckValue(swap.expected_value());
        case v1::CompareAndSwapOperation::kExpectedAbsent:
          if (swap.expected_absent()) return OkStatus();
          return absl::InvalidArgumentError("expected_absent is false; leave it out, or set it");
        case v1::CompareAndSwapOperation::EXPECTED_NOT_SET:
          return absl::InvalidArgumentError(
              "a compare-and-swap names what it expects: a value, a version, a revision, or absence");
        default:
          return OkStatus();
      }
    }
    case v1::Command::OPERATION_NOT_SET:
      return absl::InvalidArgumentError("the command has no operation that is known here");
  }
  return absl::InvalidArgumentError("the command has no operation that is known here");
}

}  // namespace decree::kv
