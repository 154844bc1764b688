#include "kv/state_machine.h"

#include <map>

#include "paxos/base/random.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

using testing::HasSubstr;

class StateMachineTest : public testing::Test {
 protected:
  v1::CommandResult Swap(const std::function<void(v1::CompareAndSwapOperation&)>& expect, const std::string& key = "k",
                         const std::string& value = "new") {
    v1::Command command = SwapCommand(key, value);
    expect(*command.mutable_compare_and_swap());
    return kv_->ApplyOne(command.SerializeAsString());
  }

  paxos::SimulatedFileSystem files_{1};
  std::unique_ptr<OpenStore> kv_ = std::make_unique<OpenStore>(files_);
};

TEST_F(StateMachineTest, APutSetsAKeyAndCounts) {
  v1::CommandResult result = kv_->ApplyOne(PutCommand("k", "one"));
  EXPECT_EQ(result.revision(), 2u) << "the empty store is at 1";
  EXPECT_EQ(result.version(), 1u);
  EXPECT_FALSE(result.found());
  result = kv_->ApplyOne(PutCommand("k", "two", /*return_previous=*/true));
  EXPECT_EQ(result.revision(), 3u);
  EXPECT_EQ(result.version(), 2u);
  EXPECT_EQ(kv_->PreviousOf(result), "one");
  const auto record = kv_->machine().view()->Get("k");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->value, "two");
  EXPECT_EQ(record->counters.create_revision, 2u);
  EXPECT_EQ(record->counters.modified.main, 3u);
}

TEST_F(StateMachineTest, ADeletedKeyBeginsAnew) {
  kv_->Apply({PutCommand("k", "one"), PutCommand("k", "two")});
  v1::CommandResult result = kv_->ApplyOne(DeleteCommand("k", /*return_previous=*/true));
  EXPECT_TRUE(result.changed());
  EXPECT_EQ(result.revision(), 4u);
  EXPECT_EQ(kv_->PreviousOf(result), "two");
  EXPECT_EQ(kv_->ValueOf("k"), "(none)");
  result = kv_->ApplyOne(DeleteCommand("k"));
  EXPECT_FALSE(result.changed());
  EXPECT_EQ(result.revision(), 4u) << "what changes nothing takes no revision";
  result = kv_->ApplyOne(PutCommand("k", "three"));
  EXPECT_EQ(result.version(), 1u);
  EXPECT_EQ(kv_->machine().view()->Get("k")->counters.create_revision, 5u);
}

TEST_F(StateMachineTest, AReadSeesTheNewestRecordWhereverItIs) {
  for (const char* value : {"one", "two", "three"}) {
    kv_->ApplyOne(PutCommand("k", value));
    EXPECT_EQ(kv_->ValueOf("k"), value);
    for (int other = 0; other < 200; ++other) kv_->ApplyOne(PutCommand(StrCat("other", other), "v"));
    EXPECT_EQ(kv_->ValueOf("k"), value) << "only the store has it, after so many others";
    kv_->ApplyOne(PutCommand("k", StrCat(value, " and more")));
    EXPECT_EQ(kv_->ValueOf("k"), StrCat(value, " and more")) << "it was read, and changed since";
  }
  kv_->ApplyOne(DeleteCommand("k"));
  EXPECT_EQ(kv_->ValueOf("k"), "(none)");
}

TEST_F(StateMachineTest, ASwapComparesTheValue) {
  kv_->ApplyOne(PutCommand("k", "old"));
  v1::CommandResult result = Swap([](auto& swap) { swap.set_expected_value("other"); });
  EXPECT_FALSE(result.changed());
  EXPECT_EQ(result.revision(), 2u);
  EXPECT_EQ(kv_->PreviousOf(result), "old");
  EXPECT_EQ(kv_->machine().PreviousOf(result)->version(), 1u);
  result = Swap([](auto& swap) { swap.set_expected_value("old"); });
  EXPECT_TRUE(result.changed());
  EXPECT_EQ(result.version(), 2u);
  EXPECT_EQ(kv_->ValueOf("k"), "new");
}

TEST_F(StateMachineTest, ASwapComparesCountersAndAbsence) {
  EXPECT_FALSE(Swap([](auto& swap) { swap.set_expected_version(0); }).changed()) << "an absent key has no version";
  EXPECT_TRUE(Swap([](auto& swap) { swap.set_expected_absent(true); }).changed());
  EXPECT_FALSE(Swap([](auto& swap) { swap.set_expected_absent(true); }).changed());
  EXPECT_FALSE(Swap([](auto& swap) { swap.set_expected_version(2); }).changed());
  EXPECT_TRUE(Swap([](auto& swap) { swap.set_expected_version(1); }).changed());
  EXPECT_FALSE(Swap([](auto& swap) { swap.set_expected_mod_revision(2); }).changed());
  EXPECT_TRUE(Swap([](auto& swap) { swap.set_expected_mod_revision(3); }).changed());
  EXPECT_FALSE(Swap([](auto& swap) { swap.set_expected_value(""); }, "nobody").changed())
      << "an absent key has no value, not the empty one";
}

TEST_F(StateMachineTest, CommandsOfOneSlotSeeEachOther) {
  v1::Command swap = SwapCommand("k", "three");
  swap.mutable_compare_and_swap()->set_expected_value("two");
  const auto results = kv_->Apply({PutCommand("k", "one"), PutCommand("k", "two", true), swap.SerializeAsString(),
                                   DeleteCommand("k", true), DeleteCommand("k")});
  EXPECT_EQ(kv_->PreviousOf(results[1]), "one");
  EXPECT_TRUE(results[2].changed());
  EXPECT_EQ(kv_->PreviousOf(results[3]), "three");
  EXPECT_FALSE(results[4].changed());
}

TEST_F(StateMachineTest, AnyBytesAreKeysAndValues) {
  const std::string zeros(3, '\0');
  kv_->ApplyOne(PutCommand(zeros, zeros));
  kv_->ApplyOne(PutCommand(std::string(2, '\0'), ""));
  EXPECT_EQ(kv_->ValueOf(zeros), zeros);
  EXPECT_EQ(kv_->ValueOf(std::string(2, '\0')), "");
  EXPECT_EQ(kv_->ValueOf(std::string(1, '\0')), "(none)");
}

TEST_F(StateMachineTest, WhatIsNoCommandIsRefusedAndChangesNothing) {
  v1::Command guarded;
  guarded.mutable_put()->set_key("k");
  guarded.set_guard(5);
  v1::Command in_session = guarded;
  in_session.clear_guard();
  in_session.set_session(9);
  in_session.set_number(1);
  const auto results = kv_->Apply({"\xff\xff", "", PutCommand("", "v"), PutCommand(std::string(4097, 'k'), "v"),
                                   SwapCommand("k", "v").SerializeAsString(), guarded.SerializeAsString(),
                                   in_session.SerializeAsString()});
  using Result = v1::CommandResult;
  const std::vector<Result::Refusal> refusals{
      Result::REFUSAL_MALFORMED, Result::REFUSAL_MALFORMED, Result::REFUSAL_LIMIT,          Result::REFUSAL_LIMIT,
      Result::REFUSAL_LIMIT,     Result::REFUSAL_GUARD,     Result::REFUSAL_SESSION_UNKNOWN};
  for (size_t i = 0; i < refusals.size(); ++i) {
    EXPECT_EQ(results[i].refusal(), refusals[i]) << i;
    EXPECT_EQ(results[i].revision(), 1u) << i;
  }
}

TEST_F(StateMachineTest, AViewDoesNotChange) {
  kv_->ApplyOne(PutCommand("k", "one"));
  const auto before = kv_->machine().view();
  kv_->ApplyOne(PutCommand("k", "two"));
  EXPECT_EQ(before->Get("k")->value, "one");
  EXPECT_EQ(before->state().revision, 2u);
  EXPECT_EQ(kv_->machine().view()->Get("k")->value, "two");
}

TEST_F(StateMachineTest, KeepsTheConfigurationAndLogTime) {
  paxos::SlotCommands slot{.slot = paxos::Slot(1), .log_time = paxos::LogTime(500), .configuration = "who belongs"};
  std::vector<paxos::CommandAnswer> answers;
  kv_->machine().Apply({&slot, 1}, &answers);
  slot = {.slot = paxos::Slot(2), .log_time = paxos::LogTime(0)};
  kv_->machine().Apply({&slot, 1}, &answers);
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(kv_->machine().configuration(), "who belongs");
  EXPECT_EQ(kv_->machine().log_time(), paxos::LogTime(500));
}

TEST_F(StateMachineTest, RefusesAStoreOfAnotherFormat) {
  kv_.reset();
  for (const auto& [format, what] :
       {std::pair('\x01', "move that directory away"), std::pair('\x7f', "start a newer decreed")}) {
    check::ManualEnv env;
    auto store = Store::Open(kStorePath, files_, {}, env);
    ASSERT_TRUE(store.ok()) << store.status();
    leveldb::WriteBatch batch;
    batch.Put(MetaKey(Meta::kOwner), kOwner);
    batch.Put(MetaKey(Meta::kState), std::string(1, format) + std::string(40, '\0'));
    (*store)->Write(batch);
    const auto machine = StateMachine::Open(**store, kOwner, {});
    EXPECT_TRUE(absl::IsFailedPrecondition(machine.status())) << machine.status();
    EXPECT_THAT(machine.status().ToString(), HasSubstr(what));
    env.RunScheduled();
  }
}

TEST_F(StateMachineTest, RefusesAnotherOwnersStore) {
  // Written by slots enough for LevelDB to flush, so that there is something to find.
  for (int i = 0; i < 200; ++i) kv_->ApplyOne(PutCommand("k", std::string(1000, 'v')));
  kv_.reset();
  check::ManualEnv env;
  auto store = Store::Open(kStorePath, files_, {}, env);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto machine = StateMachine::Open(**store, "n2", {});
  EXPECT_TRUE(absl::IsFailedPrecondition(machine.status())) << machine.status();
  EXPECT_THAT(machine.status().ToString(), HasSubstr("belongs to another node"));
  env.RunScheduled();
}

// ---- Against a model ----

std::optional<KeyRecord> RecordAt(const View& view, const std::string& key, uint64_t revision) {
  std::optional<KeyRecord> found;
  const auto next =
      view.Scan({.first = key, .end = key + '\0'}, revision, [&](std::string_view, const KeyRecord& record) {
        found = record;
        return true;
      });
  CHECK(next.ok() && !next->has_value()) << next.status();
  return found;
}

// A `std::map` with all versions, and random commands for both.
class Model {
 public:
  // With every other seed there are so many and so long keys that memory has no room for all of them.
  explicit Model(uint64_t seed)
      : random_(seed), keys_max_(seed % 2 == 0 ? 8 : 20), padding_(seed % 2 == 0 ? 0 : 4000, '.') {}

  std::string NextCommand() {
    const std::string key = StrCat("k", random_.Below(keys_max_), padding_);
    const std::string value = StrCat("v", ++values_, std::string(random_.Below(900), '.'));
    switch (random_.Below(4)) {
      case 0:
        return DeleteCommand(key, random_.Chance(0.5));
      case 1: {
        v1::Command command = SwapCommand(key, value);
        v1::CompareAndSwapOperation& swap = *command.mutable_compare_and_swap();
        const KeyRecord current = keys_[key].value_or(KeyRecord());
        switch (random_.Below(4)) {
          case 0:
            swap.set_expected_absent(true);
            break;
          case 1:
            swap.set_expected_value(random_.Chance(0.7) ? current.value : "wrong");
            break;
          case 2:
            swap.set_expected_version(current.counters.version + random_.Below(2));
            break;
          default:
            swap.set_expected_mod_revision(current.counters.modified.main + random_.Below(2));
        }
        return command.SerializeAsString();
      }
      default:
        return PutCommand(key, value, random_.Chance(0.5));
    }
  }

  // Carries the command out, and checks what the machine has answered.
  void Expect(const std::string& bytes, const v1::CommandResult& result, const StateMachine& machine) {
    v1::Command command;
    ASSERT_TRUE(command.ParseFromString(bytes));
    ASSERT_EQ(result.refusal(), v1::CommandResult::REFUSAL_NONE);
    if (command.has_put()) {
      const auto& put = command.put();
      ExpectPrevious(put.key(), put.return_previous(), result, machine);
      Set(put.key(), put.value(), result);
    } else if (command.has_delete_()) {
      const auto& del = command.delete_();
      ExpectPrevious(del.key(), del.return_previous(), result, machine);
      ASSERT_EQ(result.changed(), keys_[del.key()].has_value());
      if (keys_[del.key()].has_value()) Note(del.key(), std::nullopt);
    } else {
      const auto& swap = command.compare_and_swap();
      ExpectPrevious(swap.key(), true, result, machine);
      const bool matches = Matches(swap);
      ASSERT_EQ(result.changed(), matches);
      if (matches) Set(swap.key(), swap.value(), result);
    }
    ASSERT_EQ(result.revision(), revision_);
  }

  void ExpectState(const View& view) const {
    ASSERT_EQ(view.state().revision, revision_);
    for (const auto& [key, history] : history_) {
      ASSERT_EQ(view.Get(key), keys_.at(key));
      for (uint64_t revision = 1; revision <= revision_; ++revision) {
        const std::optional<KeyRecord> at = RecordAt(view, key, revision);
        const auto after = history.upper_bound(revision);
        const auto expected = after == history.begin() ? std::optional<KeyRecord>() : std::prev(after)->second;
        ASSERT_EQ(at, expected) << key << " at " << revision;
      }
    }
  }

 private:
  void Note(const std::string& key, std::optional<KeyRecord> record) {
    ++revision_;
    keys_[key] = record;
    history_[key][revision_] = std::move(record);
  }
  void Set(const std::string& key, const std::string& value, const v1::CommandResult& result) {
    const std::optional<KeyRecord> before = keys_[key];
    KeyRecord record{.counters = {.create_revision = before ? before->counters.create_revision : revision_ + 1,
                                  .modified = {.main = revision_ + 1},
                                  .version = before ? before->counters.version + 1 : 1,
                                  .value_bytes = static_cast<uint32_t>(value.size())},
                     .previous = before ? before->counters.modified : Revision(),
                     .value = value};
    ASSERT_EQ(result.version(), record.counters.version);
    ASSERT_TRUE(result.changed());
    Note(key, std::move(record));
  }
  void ExpectPrevious(const std::string& key, bool told, const v1::CommandResult& result, const StateMachine& machine) {
    ASSERT_EQ(result.found(), keys_[key].has_value());
    const std::optional<v1::KeyValue> previous = machine.PreviousOf(result);
    ASSERT_EQ(previous.has_value(), told && result.found());
    if (!previous.has_value()) return;
    ASSERT_EQ(previous->SerializeAsString(), ToKeyValue(key, *keys_[key]).SerializeAsString());
  }
  bool Matches(const v1::CompareAndSwapOperation& swap) {
    const std::optional<KeyRecord>& head = keys_[swap.key()];
    if (swap.has_expected_absent()) return !head.has_value();
    if (!head.has_value()) return false;
    if (swap.has_expected_value()) return head->value == swap.expected_value();
    if (swap.has_expected_version()) return head->counters.version == swap.expected_version();
    return head->counters.modified.main == swap.expected_mod_revision();
  }

  Random random_;
  const uint64_t keys_max_;
  const std::string padding_;
  uint64_t values_ = 0;
  uint64_t revision_ = 1;
  std::map<std::string, std::optional<KeyRecord>> keys_;
  std::map<std::string, std::map<uint64_t, std::optional<KeyRecord>>> history_;
};

TEST(StateMachineModelTest, DoesWhatAMapWithVersionsDoes) {
  for (uint64_t seed = 1; seed <= 8 && !testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    paxos::SimulatedFileSystem files(seed);
    OpenStore kv(files);
    Model model(seed);
    Random random(seed + 1000);
    for (int slot = 0; slot < 120; ++slot) {
      std::vector<std::string> commands;
      for (uint64_t i = random.Below(5); i > 0; --i) commands.push_back(model.NextCommand());
      const auto results = kv.Apply(commands);
      ASSERT_EQ(results.size(), commands.size());
      for (size_t i = 0; i < commands.size(); ++i) model.Expect(commands[i], results[i], kv.machine());
    }
    model.ExpectState(*kv.machine().view());
  }
}

// ---- Determinism and crashes ----

// A stream of slots, the same each time: commands outside of sessions and in one, some of them repeated.
std::vector<std::vector<std::string>> MakeSlots(size_t count) {
  constexpr uint64_t kSession = 1 << 20;  // that of slot 1
  Model model(4);
  Random random(6);
  std::vector<std::vector<std::string>> slots(count);
  slots[0].push_back(OpenSessionCommand());
  uint64_t number = 0;
  std::vector<std::string> sent;
  for (auto& commands : slots) {
    for (uint64_t i = random.Below(6); i > 0; --i) {
      commands.push_back(model.NextCommand());
      if (random.Chance(0.5)) continue;
      ++number;
      commands.back() =
          InSession(kSession, number, number - std::min<uint64_t>(number, random.Below(9)), commands.back());
      sent.push_back(commands.back());
      if (random.Chance(0.3)) commands.push_back(sent[random.Below(sent.size())]);
    }
  }
  return slots;
}

// Far enough apart for a session to expire now and then.
paxos::LogTime TimeOf(size_t slot) { return paxos::LogTime(slot * 1'000'000'000); }

// Applies slots[from...to) in groups of the given size.
void ApplyGrouped(OpenStore& kv, const std::vector<std::vector<std::string>>& slots, size_t group) {
  for (size_t next = kv.machine().applied().value(); next < slots.size();) {
    std::vector<paxos::SlotCommands> calls;
    for (; calls.size() < group && next < slots.size(); ++next) {
      calls.push_back({.slot = paxos::Slot(next + 1), .log_time = TimeOf(next)});
      calls.back().commands.assign(slots[next].begin(), slots[next].end());
    }
    kv.machine().Apply(calls, nullptr);
  }
}

TEST(StateMachineDeterminismTest, OneStreamGivesOneDigestHoweverItIsGrouped) {
  const auto slots = MakeSlots(60);
  std::optional<State> state;
  for (const size_t group : {1, 7, 60}) {
    paxos::SimulatedFileSystem files(group);
    OpenStore kv(files);
    ApplyGrouped(kv, slots, group);
    if (!state.has_value()) state = kv.machine().state();
    EXPECT_EQ(kv.machine().state(), *state) << "groups of " << group;
  }
}

TEST(StateMachineDeterminismTest, AnotherStreamGivesAnotherDigest) {
  const auto digest_of = [](const std::vector<std::string>& commands) {
    paxos::SimulatedFileSystem files(1);
    OpenStore kv(files);
    kv.Apply(commands);
    return kv.machine().state().digest;
  };
  EXPECT_NE(digest_of({PutCommand("a", "1")}), digest_of({PutCommand("a", "2")}));
  EXPECT_NE(digest_of({PutCommand("a", "1")}), digest_of({PutCommand("b", "1")}));
  EXPECT_NE(digest_of({PutCommand("a", "1")}), digest_of({}));
  EXPECT_NE(digest_of({DeleteCommand("a")}), digest_of({})) << "results count, not effects alone";
}

// At every change and sync of the disk: the process is killed, or the power goes, and what is then
// found is some applied slot, from which the same stream leads to the same state.
TEST(StateMachineCrashTest, ACrashAnywhereLosesNoPartOfASlot) {
  const auto slots = MakeSlots(400);
  std::vector<State> states{State()};
  {
    paxos::SimulatedFileSystem files(1);
    OpenStore kv(files);
    for (size_t slot = 0; slot < slots.size(); ++slot) {
      kv.log_time = TimeOf(slot);
      kv.Apply(slots[slot]);
      states.push_back(kv.machine().state());
    }
  }
  paxos::SimulatedFileSystem files(2);
  uint64_t changes = 0;
  uint64_t replayed_from_later = 0;
  const auto crash_here = [&] {
    ++changes;
    for (const bool power_loss : {false, true}) {
      const auto crashed = files.Clone(changes);
      power_loss ? crashed->LosePower() : crashed->Kill();
      OpenStore again(*crashed);
      const uint64_t found = again.machine().applied().value();
      ASSERT_LE(found, slots.size());
      ASSERT_EQ(again.machine().state(), states[found]) << "change " << changes;
      if (found > 0) ++replayed_from_later;
      if (changes % 20 != 0) continue;
      for (size_t slot = found; slot < slots.size(); ++slot) {
        again.log_time = TimeOf(slot);
        again.Apply(slots[slot]);
      }
      ASSERT_EQ(again.machine().state(), states.back()) << "change " << changes;
    }
  };
  OpenStore kv(files, crash_here);
  for (size_t slot = 0; slot < slots.size(); ++slot) {
    kv.log_time = TimeOf(slot);
    kv.Apply(slots[slot]);
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(changes, 50u);
  EXPECT_GT(replayed_from_later, 20u) << "LevelDB has hardly flushed: the test proves little";
}

}  // namespace
}  // namespace decree::kv
