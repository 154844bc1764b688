// Commands as they stand in the log, whoever has written them: every replica carries them out alike, however they are
// cut into batches, and does so again when it has lost what it had not synced.

#include <memory>
#include <string>
#include <vector>

#include <glog/logging.h>

#include "kv/command.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::fuzz {
namespace {

using namespace kv;  // NOLINT: a test of nothing else

constexpr size_t kCommandsMax = 64;

// Slots of commands; a session is opened first, so that others find one.
struct Slots {
  std::vector<paxos::SlotCommands> slots;
  std::vector<std::string> bytes;  // what the commands point into
};

Slots ReadSlots(Input& input) {
  Slots read;
  read.bytes.reserve(kCommandsMax + 1);
  std::vector<size_t> sizes;
  read.bytes.push_back(OpenSessionCommand());
  sizes.push_back(1);
  while (!input.empty() && read.bytes.size() <= kCommandsMax) {
    const bool begins_slot = input.Byte() % 2 == 0;
    read.bytes.emplace_back(input.NextPiece());
    begins_slot ? sizes.push_back(1) : void(++sizes.back());
  }
  size_t next = 0;
  for (const size_t size : sizes) {
    paxos::SlotCommands slot{.slot = paxos::Slot(read.slots.size() + 1), .log_time = paxos::LogTime(read.slots.size())};
    slot.commands.assign(read.bytes.begin() + static_cast<std::ptrdiff_t>(next),
                         read.bytes.begin() + static_cast<std::ptrdiff_t>(next + size));
    read.slots.push_back(std::move(slot));
    next += size;
  }
  return read;
}

void Apply(StateMachine& machine, std::span<const paxos::SlotCommands> slots) {
  std::vector<paxos::CommandAnswer> answers;
  machine.Apply(slots, &answers);
  for (const paxos::CommandAnswer& answer : answers) {
    v1::CommandResult result;
    CHECK(result.ParseFromString(answer.bytes));
    static_cast<void>(machine.PreviousOf(result));
  }
}

}  // namespace

void Run(std::string_view bytes) {
  Input input(bytes);
  const Slots read = ReadSlots(input);

  paxos::SimulatedFileSystem at_once_files(1);
  OpenStore at_once(at_once_files);
  Apply(at_once.machine(), read.slots);

  paxos::SimulatedFileSystem one_by_one_files(2);
  auto one_by_one = std::make_unique<OpenStore>(one_by_one_files);
  for (const paxos::SlotCommands& slot : read.slots) Apply(one_by_one->machine(), {&slot, 1});
  CHECK_EQ(one_by_one->machine().state().digest, at_once.machine().state().digest);
  CHECK_EQ(one_by_one->machine().state().revision, at_once.machine().state().revision);

  one_by_one.reset();
  one_by_one_files.LosePower();
  OpenStore replayed(one_by_one_files);
  const size_t applied = replayed.machine().applied().value();
  CHECK_LE(applied, read.slots.size());
  Apply(replayed.machine(), std::span(read.slots).subspan(applied));
  CHECK_EQ(replayed.machine().state().digest, at_once.machine().state().digest);
}

}  // namespace decree::fuzz
