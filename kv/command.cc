#include "kv/command.h"

#include "kv/sessions.h"
#include "paxos/base/checksum.h"

namespace decree::kv {
namespace {

constexpr uint64_t kHashSeed = 0x72657175657374;  // "request"

bool IsWellFormed(const v1::OpenSessionOperation& open) {
  const size_t owner_bytes = open.owner().size();
  return owner_bytes > 0 && owner_bytes <= kOwnerBytesMax && FromWire(open.limits()).has_value();
}

}  // namespace

Status CheckKey(std::string_view key) {
  if (key.empty()) return absl::InvalidArgumentError("the key is empty; it has 1 to 4096 bytes");
  if (key.size() <= kKeyBytesMax) return OkStatus();
  return absl::InvalidArgumentError(StrCat("the key has ", key.size(), " bytes; the limit is ", kKeyBytesMax));
}

Status CheckValue(std::string_view value) {
  if (value.size() <= kValueBytesMax) return OkStatus();
  return absl::InvalidArgumentError(StrCat("the value has ", value.size(), " bytes; the limit is ", kValueBytesMax));
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
    case v1::Command::kOpenSession:
    case v1::Command::kCloseSession:
    case v1::Command::kSettle:
      return OkStatus();
    case v1::Command::OPERATION_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the command has no operation that is known here");
}

bool IsWellFormed(const v1::Command& command) {
  const bool in_session = command.session() != 0;
  switch (command.operation_case()) {
    case v1::Command::OPERATION_NOT_SET:
      return false;
    case v1::Command::kOpenSession:
      return !in_session && IsWellFormed(command.open_session());
    case v1::Command::kCloseSession:
      return in_session;
    case v1::Command::kSettle:
      return in_session && command.number() != 0;
    default:
      return !in_session || command.number() != 0;
  }
}

bool DoesSomethingToKeys(const v1::Command& command) {
  switch (command.operation_case()) {
    case v1::Command::kOpenSession:
    case v1::Command::kCloseSession:
    case v1::Command::kSettle:
    case v1::Command::OPERATION_NOT_SET:
      return false;
    default:
      return true;
  }
}

uint64_t RequestHash(v1::Command& command) {
  const uint64_t session = command.session();
  const uint64_t number = command.number();
  const uint64_t floor = command.first_unanswered();
  command.clear_session();
  command.clear_number();
  command.clear_first_unanswered();
  const uint64_t hash = Checksum(command.SerializeAsString(), kHashSeed);
  command.set_session(session);
  command.set_number(number);
  command.set_first_unanswered(floor);
  return hash == 0 ? 1 : hash;
}

}  // namespace decree::kv
