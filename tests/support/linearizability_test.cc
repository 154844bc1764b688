// The judges of histories, judged: histories made by hand, good and bad.

#include "tests/support/linearizability.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::check {
namespace {

Operation Begin(OperationKind kind, const std::string& key, int64_t invoked) {
  Operation operation;
  operation.kind = kind;
  operation.key = key;
  operation.invoked = invoked;
  return operation;
}

// Makes an operation, part by part.
class Op {
 public:
  static Op Put(const std::string& key, const std::string& value, int64_t from, int64_t to) {
    Op op(OperationKind::kPut, key, from, to);
    op.operation_.value = value;
    op.operation_.changed = true;
    return op;
  }
  static Op Delete(const std::string& key, int64_t from, int64_t to) {
    Op op(OperationKind::kDelete, key, from, to);
    op.operation_.changed = true;
    return op;
  }
  static Op Swap(const std::string& key, const Expectation& expected, const std::string& value, int64_t from,
                 int64_t to) {
    Op op(OperationKind::kCompareAndSwap, key, from, to);
    op.operation_.value = value;
    op.operation_.expected = expected;
    op.operation_.changed = true;
    return op;
  }
  static Op Get(const std::string& key, int64_t from, int64_t to) {
    Op op(OperationKind::kGet, key, from, to);
    op.operation_.tells_cell = true;
    return op;
  }
  static Op StaleGet(const std::string& key, int64_t from, int64_t to, uint64_t process) {
    Op op(OperationKind::kStaleGet, key, from, to);
    op.operation_.tells_cell = true;
    op.operation_.served_by = process;
    return op;
  }

  Op At(uint64_t revision, uint64_t version = 0) && {
    operation_.revision = revision;
    operation_.version = version;
    return *this;
  }
  Op Saw(const std::string& value, uint64_t create, uint64_t mod, uint64_t version) && {
    operation_.tells_cell = true;
    operation_.cell = Cell{value, create, mod, version};
    return *this;
  }
  Op SawNothing() && {
    operation_.tells_cell = true;
    return *this;
  }
  Op Refused() && {
    operation_.changed = false;
    return *this;
  }
  Op Unknown() && {
    operation_.ending = Ending::kUnknown;
    operation_.returned = kNeverReturned;
    operation_.changed = false;
    return *this;
  }
  Op NotExecuted() && {
    operation_.ending = Ending::kNotExecuted;
    operation_.changed = false;
    return *this;
  }
  operator Operation() const { return operation_; }  // NOLINT

 private:
  Op(OperationKind kind, const std::string& key, int64_t from, int64_t to) : operation_(Begin(kind, key, from)) {
    operation_.returned = to;
    operation_.ending = Ending::kAnswered;
  }
  Operation operation_;
};

Expectation Absent() { return {.kind = Expectation::Kind::kAbsent, .value = {}}; }
Expectation Value(const std::string& value) { return {.kind = Expectation::Kind::kValue, .value = value}; }
Expectation Version(uint64_t version) { return {.kind = Expectation::Kind::kVersion, .value = {}, .number = version}; }
Expectation ModRevision(uint64_t revision) {
  return {.kind = Expectation::Kind::kModRevision, .value = {}, .number = revision};
}

struct Example {
  const char* name;
  History history;
  // The judge that must object; the other may.
  bool search_objects = true;
  bool revisions_object = true;
};

void PrintTo(const Example& example, std::ostream* out) { *out << example.name; }
std::string NameOf(const testing::TestParamInfo<Example>& info) { return info.param.name; }

// ---- Good ----

class GoodHistory : public testing::TestWithParam<Example> {};

TEST_P(GoodHistory, IsAccepted) {
  const Verdict search = CheckLinearizable(GetParam().history);
  EXPECT_TRUE(search.ok) << search.problem;
  const Verdict revisions = CheckRevisions(GetParam().history);
  EXPECT_TRUE(revisions.ok) << revisions.problem;
}

const std::vector<Example> kGood = {
    {"Empty", {}},
    {"ReadOfNothing", {Op::Get("k", 1, 2).At(1)}},
    {"WriteThenRead", {Op::Put("k", "a", 1, 2).At(2, 1), Op::Get("k", 3, 4).At(2).Saw("a", 2, 2, 1)}},
    {"ConcurrentReadsSeeOldAndNew",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 9).At(3, 2), Op::Get("k", 4, 5).At(2).Saw("a", 2, 2, 1),
      Op::Get("k", 6, 7).At(3).Saw("b", 2, 3, 2)}},
    {"ConcurrentWritesInEitherOrder",
     {Op::Put("k", "a", 1, 10).At(3, 2), Op::Put("k", "b", 1, 10).At(2, 1),
      Op::Get("k", 11, 12).At(3).Saw("a", 2, 3, 2)}},
    {"UnknownWriteSeenMuchLater",
     {Op::Put("k", "a", 1, 0).Unknown(), Op::Get("k", 5, 6).At(1).SawNothing(),
      Op::Get("k", 100, 101).At(2).Saw("a", 2, 2, 1)}},
    {"UnknownWriteNeverSeen",
     {Op::Put("k", "a", 1, 0).Unknown(), Op::Get("k", 5, 6).At(1).SawNothing(), Op::Put("k", "b", 7, 8).At(2, 1)}},
    {"UnknownWriteOverwrittenUnseen",
     {Op::Put("k", "a", 1, 0).Unknown(), Op::Put("k", "b", 7, 8).At(3, 2),
      Op::Get("k", 9, 10).At(3).Saw("b", 2, 3, 2)}},
    {"UnknownDelete",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Delete("k", 3, 0).Unknown(), Op::Get("k", 4, 5).At(2).Saw("a", 2, 2, 1),
      Op::Get("k", 6, 7).At(3).SawNothing()}},
    {"DeleteRestartsVersions",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Delete("k", 3, 4).At(3), Op::Put("k", "b", 5, 6).At(4, 1),
      Op::Get("k", 7, 8).At(4).Saw("b", 4, 4, 1)}},
    {"DeleteOfNothing", {Op::Delete("k", 1, 2).At(1).Refused()}},
    {"SwapsOfEveryKind",
     {Op::Swap("k", Absent(), "a", 1, 2).At(2, 1).SawNothing(),
      Op::Swap("k", Value("a"), "b", 3, 4).At(3, 2).Saw("a", 2, 2, 1),
      Op::Swap("k", Version(2), "c", 5, 6).At(4, 3).Saw("b", 2, 3, 2),
      Op::Swap("k", ModRevision(4), "d", 7, 8).At(5, 4).Saw("c", 2, 4, 3),
      Op::Swap("k", ModRevision(4), "e", 9, 10).At(5).Refused().Saw("d", 2, 5, 4)}},
    {"OneOfTwoSwapsWins",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Swap("k", Value("a"), "b", 3, 9).At(3, 2).Saw("a", 2, 2, 1),
      Op::Swap("k", Value("a"), "c", 3, 9).At(3).Refused().Saw("b", 2, 3, 2)}},
    {"UnknownSwapThatFailed", {Op::Swap("k", Value("x"), "a", 1, 0).Unknown(), Op::Get("k", 5, 6).At(1).SawNothing()}},
    {"StaleReadOfThePast",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2),
      Op::StaleGet("k", 5, 6, 1).At(2).Saw("a", 2, 2, 1), Op::StaleGet("k", 5, 6, 2).At(1).SawNothing(),
      Op::StaleGet("k", 7, 8, 1).At(3).Saw("b", 2, 3, 2)}},
    {"NotExecutedIsNeverSeen", {Op::Put("k", "a", 1, 2).NotExecuted(), Op::Get("k", 3, 4).At(1).SawNothing()}},
    {"TwoKeysShareTheRevisions",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("l", "b", 3, 4).At(3, 1), Op::Get("k", 5, 6).At(3).Saw("a", 2, 2, 1)}},
};

INSTANTIATE_TEST_SUITE_P(All, GoodHistory, testing::ValuesIn(kGood), NameOf);

// ---- Bad ----

class BadHistory : public testing::TestWithParam<Example> {};

TEST_P(BadHistory, IsRejected) {
  if (GetParam().search_objects) {
    EXPECT_FALSE(CheckLinearizable(GetParam().history).ok);
  }
  if (GetParam().revisions_object) {
    EXPECT_FALSE(CheckRevisions(GetParam().history).ok);
  }
  EXPECT_FALSE(CheckHistory(GetParam().history).ok);
}

const std::vector<Example> kBad = {
    {"ReadMissesACompletedWrite", {Op::Put("k", "a", 1, 2).At(2, 1), Op::Get("k", 3, 4).At(1).SawNothing()}},
    {"ReadMissesItAndClaimsItsRevision", {Op::Put("k", "a", 1, 2).At(2, 1), Op::Get("k", 3, 4).At(2).SawNothing()}},
    {"ReadOfAnOldValue",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2), Op::Get("k", 5, 6).At(2).Saw("a", 2, 2, 1)}},
    {"ReadOfAnOldValueAtTheNewRevision",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2), Op::Get("k", 5, 6).At(3).Saw("a", 2, 2, 1)}},
    {"ReadGoesBack",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 20).At(3, 2), Op::Get("k", 4, 5).At(3).Saw("b", 2, 3, 2),
      Op::Get("k", 6, 7).At(2).Saw("a", 2, 2, 1)}},
    {"ReadFromTheFuture", {Op::Get("k", 1, 2).At(2).Saw("a", 2, 2, 1), Op::Put("k", "a", 3, 4).At(2, 1)}},
    {"ReadOfAValueNobodyWrote", {Op::Get("k", 1, 2).At(2).Saw("x", 2, 2, 1)}},
    {"ReadOfAnotherKeysValue", {Op::Put("l", "a", 1, 2).At(2, 1), Op::Get("k", 3, 4).At(2).Saw("a", 2, 2, 1)}},
    {"LostAcknowledgedWrite",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(2, 1), Op::Get("k", 5, 6).At(2).Saw("b", 2, 2, 1)}},
    {"LostDelete",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Delete("k", 3, 4).At(3), Op::Get("k", 5, 6).At(3).Saw("a", 2, 2, 1)}},
    {"DeleteOfNothingThatClaimsToHaveDeleted", {Op::Delete("k", 1, 2).At(2)}},
    {"DeleteThatFoundNothingWhereThereWasAValue",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Delete("k", 3, 4).At(2).Refused()},
     true,
     false},
    {"BothSwapsWin",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Swap("k", Value("a"), "b", 3, 9).At(3, 2),
      Op::Swap("k", Value("a"), "c", 3, 9).At(4, 3)},
     true,
     false},
    {"BothSwapsWinAndTellWhatTheySaw",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Swap("k", Value("a"), "b", 3, 9).At(3, 2).Saw("a", 2, 2, 1),
      Op::Swap("k", Value("a"), "c", 3, 9).At(4, 3).Saw("a", 2, 2, 1)}},
    {"SwapRefusedThoughItMatched",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Swap("k", Value("a"), "b", 3, 4).At(2).Refused().Saw("a", 2, 2, 1)}},
    {"SwapOnAbsenceThatOverwrote",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Swap("k", Absent(), "b", 3, 4).At(3, 2)},
     true,
     false},
    {"SwapOnAnOldVersion",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2),
      Op::Swap("k", Version(1), "c", 5, 6).At(4, 3)},
     true,
     false},
    {"SwapOnAnOldRevision",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2),
      Op::Swap("k", ModRevision(2), "c", 5, 6).At(4, 3)},
     true,
     false},
    {"RefusedSwapsValueIsSeen",
     {Op::Swap("k", Value("x"), "a", 1, 2).At(1).Refused(), Op::Get("k", 3, 4).At(2).Saw("a", 2, 2, 1)}},
    {"NotExecutedIsSeen", {Op::Put("k", "a", 1, 2).NotExecuted(), Op::Get("k", 3, 4).At(2).Saw("a", 2, 2, 1)}},
    {"ExecutedTwice",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2), Op::Get("k", 5, 6).At(4).Saw("a", 2, 4, 3)}},
    {"UnknownWriteExecutedTwice",
     {Op::Put("k", "a", 1, 0).Unknown(), Op::Get("k", 3, 4).At(2).Saw("a", 2, 2, 1), Op::Put("k", "b", 5, 6).At(3, 2),
      Op::Get("k", 7, 8).At(4).Saw("a", 2, 4, 3)}},
    {"UnknownWriteComesAndGoes",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 0).Unknown(), Op::Get("k", 4, 5).At(3).Saw("b", 2, 3, 2),
      Op::Get("k", 6, 7).At(3).Saw("a", 2, 2, 1)}},
    {"VersionSkipped", {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 3)}},
    {"VersionNotRestartedAfterDelete",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Delete("k", 3, 4).At(3), Op::Put("k", "b", 5, 6).At(4, 2)}},
    {"RevisionUsedTwiceForDifferentKeys",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("l", "b", 3, 4).At(2, 1)},
     false,
     true},
    {"RevisionsAgainstRealTime", {Op::Put("k", "a", 1, 2).At(3, 1), Op::Put("l", "b", 3, 4).At(2, 1)}, false, true},
    {"ReadOfOtherKeyGoesBackInRevision",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Get("l", 3, 4).At(1).SawNothing()},
     false,
     true},
    {"CreateRevisionChanged",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2), Op::Get("k", 5, 6).At(3).Saw("b", 3, 3, 2)},
     false,
     true},
    {"StaleReadOfAStateThatNeverWas",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::Put("k", "b", 3, 4).At(3, 2),
      Op::StaleGet("k", 5, 6, 1).At(3).Saw("a", 2, 2, 1)},
     false,
     true},
    {"StaleReadAheadOfItsRevision",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::StaleGet("k", 5, 6, 1).At(1).Saw("a", 2, 2, 1)},
     false,
     true},
    {"StaleReadsGoBackInOneProcess",
     {Op::Put("k", "a", 1, 2).At(2, 1), Op::StaleGet("k", 3, 4, 7).At(2).Saw("a", 2, 2, 1),
      Op::StaleGet("k", 5, 6, 7).At(1).SawNothing()},
     false,
     true},
    {"StaleReadFromTheFuture",
     {Op::Put("l", "b", 5, 6).At(3, 1), Op::Put("k", "a", 1, 2).At(2, 1),
      Op::StaleGet("k", 3, 4, 7).At(3).Saw("a", 2, 2, 1)},
     false,
     true},
};

INSTANTIATE_TEST_SUITE_P(All, BadHistory, testing::ValuesIn(kBad), NameOf);

// ---- Limits ----

// Many open writes, which nobody sees, must not make the search explode.
TEST(LinearizabilityTest, SearchBearsManyOpenWrites) {
  History history;
  for (int i = 0; i < 12; ++i) {
    history.push_back(Op::Put("k", "open" + std::to_string(i), 1, 0).Unknown());
  }
  uint64_t revision = 1;
  for (int i = 0; i < 150; ++i) {
    const std::string value = "v" + std::to_string(i);
    const uint64_t version = static_cast<uint64_t>(i) + 1;
    ++revision;
    history.push_back(Op::Put("k", value, 10 * i + 2, 10 * i + 15).At(revision, version));
    history.push_back(Op::Get("k", 10 * i + 13, 10 * i + 20).At(revision).Saw(value, 2, revision, version));
  }
  const Verdict verdict = CheckHistory(history);
  EXPECT_TRUE(verdict.ok) << verdict.problem;
}

TEST(LinearizabilityTest, GivingUpIsNotAcquittal) {
  const History history = {Op::Put("k", "a", 1, 2).At(2, 1), Op::Get("k", 3, 4).At(2).Saw("a", 2, 2, 1)};
  const Verdict verdict = CheckLinearizable(history, 1);
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.problem, testing::HasSubstr("gave up"));
}

}  // namespace
}  // namespace decree::check
