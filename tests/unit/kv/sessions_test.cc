#include "kv/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kv/command.h"
#include "kv/key_codec.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

using v1::CommandResult;
using Fate = RequestFate;

constexpr uint64_t kSecond = 1'000'000'000;

class SessionsTest : public testing::Test {
 protected:
  // With small limits, so that they are met.
  SessionsTest() : kv_(files_) {}

  static SessionLimits Limits() {
    return {.sessions = 3, .window = 8, .answer_bytes = 2000, .answer_bytes_total = 4000, .idle_time = 100 * kSecond};
  }

  // 0: it was refused.
  uint64_t TryOpen(const std::string& owner) { return kv_.ApplyOne(OpenSessionCommand(owner, Limits())).session(); }
  uint64_t Open(const std::string& owner = "somebody") {
    const uint64_t session = TryOpen(owner);
    EXPECT_NE(session, 0u);
    return session;
  }
  CommandResult Put(uint64_t session, uint64_t number, uint64_t floor, const std::string& key,
                    const std::string& value) {
    return kv_.ApplyOne(InSession(session, number, floor, PutCommand(key, value, true)));
  }
  Fate FateOf(uint64_t session, uint64_t number) {
    CommandResult result;
    return kv_.machine().FateOf(session, number, result);
  }
  // What the table answers to a repetition, without the log.
  std::optional<CommandResult> AnswerTo(const std::string& bytes) {
    std::optional<v1::Command> request = ParseCommand(bytes);
    const std::optional<std::string> answer = kv_.machine().AnswerTo(*request);
    EXPECT_EQ(request->SerializeAsString(), bytes);
    if (!answer.has_value()) return std::nullopt;
    CommandResult result;
    EXPECT_TRUE(result.ParseFromString(*answer));
    return result;
  }
  bool IsStored(uint64_t session, uint64_t first_number) {
    return kv_.store().Get(AnswersKey(session, first_number)).has_value();
  }
  void PassTo(uint64_t seconds) { kv_.log_time = paxos::LogTime(seconds * kSecond); }

  paxos::SimulatedFileSystem files_{1};
  OpenStore kv_;
};

TEST_F(SessionsTest, IdsComeFromThePlaceInTheLog) {
  const auto results = kv_.Apply({PutCommand("k", "v"), OpenSessionCommand(), OpenSessionCommand()});
  EXPECT_EQ(results[1].session(), (1u << 20) + 1);
  EXPECT_EQ(results[2].session(), (1u << 20) + 2);
  EXPECT_EQ(Open(), 2u << 20);
}

TEST_F(SessionsTest, ARepeatedRequestIsAnsweredAsBeforeAndNotCarriedOutAgain) {
  const uint64_t session = Open();
  const CommandResult first = Put(session, 1, 1, "k", "a");
  EXPECT_EQ(first.version(), 1u);
  kv_.ApplyOne(PutCommand("k", "other"));
  const CommandResult again = Put(session, 1, 1, "k", "a");
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(kv_.ValueOf("k"), "other");
}

TEST_F(SessionsTest, CopiesInOneSlotCountOnce) {
  const uint64_t session = Open();
  const std::string put = InSession(session, 1, 1, PutCommand("k", "a"));
  const auto results = kv_.Apply({put, put, put});
  EXPECT_EQ(results[2].SerializeAsString(), results[0].SerializeAsString());
  EXPECT_EQ(kv_.machine().view()->Get("k")->counters.version, 1u);
}

TEST_F(SessionsTest, ARefusalIsKeptToo) {
  const uint64_t session = Open();
  const std::string value(kValueBytesMax + 1, 'v');
  EXPECT_EQ(Put(session, 1, 1, "k", value).refusal(), CommandResult::REFUSAL_LIMIT);
  EXPECT_EQ(FateOf(session, 1), Fate::kEnded);
  v1::Command swap = SwapCommand("k", "b");
  swap.mutable_compare_and_swap()->set_expected_value("a");
  const std::string bytes = InSession(session, 2, 1, swap.SerializeAsString());
  EXPECT_FALSE(kv_.ApplyOne(bytes).changed());
  kv_.ApplyOne(PutCommand("k", "a"));
  EXPECT_FALSE(kv_.ApplyOne(bytes).changed()) << "the swap was judged a second time";
  EXPECT_EQ(kv_.ValueOf("k"), "a");
}

TEST_F(SessionsTest, BelowTheFloorNothingIsCarriedOutAndFloorsNeverFall) {
  const uint64_t session = Open();
  Put(session, 1, 1, "k", "a");
  Put(session, 5, 5, "k", "b");
  EXPECT_EQ(Put(session, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_BELOW_FLOOR);
  EXPECT_EQ(Put(session, 3, 1, "k", "c").refusal(), CommandResult::REFUSAL_BELOW_FLOOR);
  EXPECT_EQ(Put(session, 3, 7, "k", "c").refusal(), CommandResult::REFUSAL_BELOW_FLOOR)
      << "a request below the floor that it brings along";
  EXPECT_EQ(FateOf(session, 3), Fate::kBelowFloor);
  EXPECT_EQ(kv_.ValueOf("k"), "b");
}

TEST_F(SessionsTest, RequestsMayArriveInAnyOrderAboveTheFloor) {
  const uint64_t session = Open();
  EXPECT_EQ(Put(session, 3, 1, "k", "c").version(), 1u);
  EXPECT_EQ(Put(session, 1, 1, "k", "a").version(), 2u);
  EXPECT_EQ(Put(session, 2, 1, "k", "b").version(), 3u);
  EXPECT_EQ(Put(session, 3, 1, "k", "c").version(), 1u);
}

TEST_F(SessionsTest, ANumberBelongsToOneRequest) {
  const uint64_t session = Open();
  Put(session, 1, 1, "k", "a");
  EXPECT_EQ(Put(session, 1, 1, "k", "b").refusal(), CommandResult::REFUSAL_NUMBER_REUSED);
  EXPECT_EQ(Put(session, 1, 1, "x", "a").refusal(), CommandResult::REFUSAL_NUMBER_REUSED);
  EXPECT_EQ(Put(session, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_NONE);
}

TEST_F(SessionsTest, SessionsDoNotKnowEachOthersNumbers) {
  const uint64_t first = Open();
  const uint64_t second = Open();
  Put(first, 1, 1, "k", "a");
  EXPECT_EQ(Put(second, 1, 1, "k", "b").version(), 2u);
}

TEST_F(SessionsTest, AFullSessionTakesTheSameNumberOnceItsFloorHasRisen) {
  const uint64_t session = Open();
  EXPECT_EQ(Put(session, 9, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_FULL);
  EXPECT_EQ(FateOf(session, 9), Fate::kNotYet) << "a refusal for a limit is not kept";
  EXPECT_EQ(kv_.ApplyOne(SettleCommand(session, 9)).refusal(), CommandResult::REFUSAL_SESSION_FULL);
  EXPECT_EQ(Put(session, 9, 2, "k", "a").refusal(), CommandResult::REFUSAL_NONE);
}

TEST_F(SessionsTest, AnswersAreBoundedInBytes) {
  paxos::SimulatedFileSystem files(1);
  OpenStore kv(files);
  const uint64_t session = kv.ApplyOne(OpenSessionCommand("somebody", {.answer_bytes = 250})).session();
  const auto put = [&](uint64_t number, uint64_t floor) {
    return kv.ApplyOne(InSession(session, number, floor, PutCommand("k", "v", true))).refusal();
  };
  EXPECT_EQ(put(2, 1), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(put(3, 1), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(put(4, 1), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(put(5, 1), CommandResult::REFUSAL_SESSION_FULL);
  EXPECT_EQ(put(1, 1), CommandResult::REFUSAL_NONE) << "the floor itself is refused, and so could never rise";
  EXPECT_EQ(put(5, 2), CommandResult::REFUSAL_SESSION_FULL);
  EXPECT_EQ(put(5, 4), CommandResult::REFUSAL_NONE);
}

TEST_F(SessionsTest, AnswersTellOfLargeValuesAndDoNotHoldThem) {
  paxos::SimulatedFileSystem files(1);
  OpenStore kv(files);
  const uint64_t session = kv.ApplyOne(OpenSessionCommand()).session();
  const std::string large(kValueBytesMax, 'v');
  kv.ApplyOne(PutCommand("k", large));
  v1::Command swap = SwapCommand("k", "x");
  swap.mutable_compare_and_swap()->set_expected_value("y");
  for (uint64_t number = 1; number <= 20; ++number) {
    const CommandResult result = kv.ApplyOne(InSession(session, number, 1, swap.SerializeAsString()));
    EXPECT_EQ(result.refusal(), CommandResult::REFUSAL_NONE) << "20 MiB of answers have no room";
    EXPECT_LT(result.ByteSizeLong(), 100u);
  }
  kv.ApplyOne(PutCommand("k", "other"));
  CommandResult first;
  EXPECT_EQ(kv.machine().FateOf(session, 1, first), Fate::kEnded);
  EXPECT_EQ(kv.PreviousOf(first), large) << "what the key held when it was compared";
}

TEST_F(SessionsTest, AFullTableRefusesRegistrationToWhoHasItsShare) {
  std::vector<uint64_t> sessions;
  for (int i = 0; i < 3; ++i) {
    sessions.push_back(Open());
    Put(sessions.back(), 1, 1, "k", "a");
  }
  EXPECT_EQ(kv_.ApplyOne(OpenSessionCommand("somebody", Limits())).refusal(), CommandResult::REFUSAL_TOO_MANY_SESSIONS);
  kv_.ApplyOne(CloseSessionCommand(sessions[0]));
  EXPECT_NE(Open(), sessions[0]);
}

TEST_F(SessionsTest, WhoHasTheMostMakesRoomForOthers) {
  const uint64_t first = Open("hog");
  const uint64_t second = Open("hog");
  const uint64_t third = Open("hog");
  for (const uint64_t session : {second, third, first}) Put(session, 1, 1, "k", "a");
  const uint64_t other = Open("other");
  Put(other, 1, 1, "k", "b");
  EXPECT_EQ(FateOf(first, 1), Fate::kUnknownSession) << "all were last used at one time; this one is the oldest";
  EXPECT_EQ(Put(first, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  EXPECT_EQ(FateOf(second, 1), Fate::kEnded);
  EXPECT_EQ(TryOpen("hog"), 0u) << "it has more than the other";
  EXPECT_EQ(TryOpen("other"), 0u) << "both would have two";
  EXPECT_NE(TryOpen("a third"), 0u);
  EXPECT_EQ(FateOf(other, 1), Fate::kEnded);
  EXPECT_EQ(kv_.machine().session_usage().ended_for_others, 2u);
}

TEST_F(SessionsTest, WhatWasOpenedAndNeverUsedGoesFirst) {
  const uint64_t idle = Open("hog");
  const uint64_t used = Open("hog");
  const uint64_t young = Open("hog");
  Put(used, 1, 1, "k", "a");
  const uint64_t other = Open("other");
  EXPECT_EQ(Put(idle, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  Open("hog");
  EXPECT_EQ(Put(young, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN) << "its own goes";
  EXPECT_EQ(Put(other, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(Put(used, 2, 2, "k", "a").refusal(), CommandResult::REFUSAL_NONE);
}

TEST_F(SessionsTest, WhatWasNotUsedForLongGoesWhoeversItIs) {
  PassTo(1000);
  const uint64_t idle = Open("other");
  for (int i = 0; i < 2; ++i) Put(Open("hog"), 1, 1, "k", "a");
  EXPECT_EQ(TryOpen("hog"), 0u) << "the other's may be used any moment";
  PassTo(1002);
  EXPECT_NE(TryOpen("hog"), 0u);
  EXPECT_EQ(Put(idle, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
}

TEST_F(SessionsTest, LimitsAreThoseOfTheFirstSession) {
  EXPECT_EQ(kv_.machine().session_usage().sessions_max, 0u);
  const uint64_t first = Open();
  SessionLimits others = Limits();
  others.window = 100;
  const uint64_t second = kv_.ApplyOne(OpenSessionCommand("somebody", others)).session();
  for (const uint64_t session : {first, second}) {
    EXPECT_EQ(Put(session, 8, 1, "k", "a").refusal(), CommandResult::REFUSAL_NONE);
    EXPECT_EQ(Put(session, 9, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_FULL);
  }
  EXPECT_EQ(kv_.machine().session_usage().sessions_max, 3u);
}

TEST_F(SessionsTest, SessionsWithoutOwnerOrLimitsAreMalformed) {
  SessionLimits wrong = Limits();
  wrong.window = 0;
  for (const std::string& command :
       {OpenSessionCommand("", Limits()), OpenSessionCommand(std::string(256, 'o'), Limits()),
        OpenSessionCommand("somebody", wrong)}) {
    EXPECT_EQ(kv_.ApplyOne(command).refusal(), CommandResult::REFUSAL_MALFORMED);
  }
  EXPECT_NE(TryOpen(std::string(255, 'o')), 0u);
}

TEST_F(SessionsTest, ExpiresAsAWholeByLogTime) {
  PassTo(1000);
  const uint64_t idle = Open();
  const uint64_t used = Open();
  Put(idle, 1, 1, "k", "a");
  PassTo(1060);
  Put(used, 1, 1, "k", "b");
  PassTo(1101);
  EXPECT_EQ(Put(idle, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  EXPECT_EQ(FateOf(idle, 1), Fate::kUnknownSession);
  EXPECT_EQ(Put(used, 1, 1, "k", "b").refusal(), CommandResult::REFUSAL_NONE) << "an answer of a live session is gone";
  EXPECT_EQ(kv_.ValueOf("k"), "b");
  EXPECT_EQ(kv_.machine().session_usage().sessions, 1u);
}

TEST_F(SessionsTest, AFloorAboveTheNumberIsRefusedAndRaisesNothing) {
  const uint64_t session = Open();
  Put(session, 1, 1, "k", "a");
  EXPECT_EQ(Put(session, 2, 5, "k", "b").refusal(), CommandResult::REFUSAL_BELOW_FLOOR);
  EXPECT_EQ(Put(session, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_NONE) << "its answer is gone";
  EXPECT_EQ(Put(session, 2, 1, "k", "c").refusal(), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(kv_.ValueOf("k"), "c");
}

TEST(SessionsExpiryTest, ManyThatEndTogetherAreForgottenOverSeveralSlots) {
  paxos::SimulatedFileSystem files{1};
  OpenStore kv(files);
  constexpr size_t kSessions = 10'000;
  const auto opened =
      kv.Apply(std::vector<std::string>(kSessions, OpenSessionCommand("somebody", {.idle_time = 100 * kSecond})));
  const uint64_t last = opened.back().session();
  const std::string answered = InSession(last, 1, 1, PutCommand("k", "a"));
  kv.ApplyOne(answered);
  std::optional<v1::Command> request = ParseCommand(answered);
  EXPECT_TRUE(kv.machine().AnswerTo(*request).has_value());
  kv.log_time = paxos::LogTime(101 * kSecond);
  kv.ApplyOne(PutCommand("k", "v"));
  EXPECT_EQ(kv.machine().AnswerTo(*request), std::nullopt);
  EXPECT_EQ(kv.ApplyOne(InSession(last, 1, 1, PutCommand("k", "v"))).refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN)
      << "its time is over, though it is not forgotten yet";
  EXPECT_EQ(kv.ApplyOne(CloseSessionCommand(last)).refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  const size_t left = kv.machine().session_usage().sessions;
  EXPECT_GT(left, 0u);
  EXPECT_LT(left, kSessions);
  for (int i = 0; i < 10; ++i) kv.ApplyOne(PutCommand("k", "v"));
  EXPECT_EQ(kv.machine().session_usage().sessions, 0u);
}

TEST_F(SessionsTest, AClosedOrUnknownSessionCarriesNothingOut) {
  const uint64_t session = Open();
  EXPECT_EQ(kv_.ApplyOne(CloseSessionCommand(session)).refusal(), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(kv_.ApplyOne(CloseSessionCommand(session)).refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  EXPECT_EQ(Put(session, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  EXPECT_EQ(Put(77, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  EXPECT_EQ(kv_.ApplyOne(SettleCommand(session, 1)).refusal(), CommandResult::REFUSAL_SESSION_UNKNOWN);
  EXPECT_EQ(kv_.ValueOf("k"), "(none)");
}

TEST_F(SessionsTest, WhatWasSettledIsNeverCarriedOut) {
  const uint64_t session = Open();
  EXPECT_EQ(FateOf(session, 1), Fate::kNotYet);
  const CommandResult settle = kv_.ApplyOne(SettleCommand(session, 1));
  EXPECT_EQ(settle.refusal(), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(settle.settled().refusal(), CommandResult::REFUSAL_SETTLED);
  EXPECT_EQ(Put(session, 1, 1, "k", "a").refusal(), CommandResult::REFUSAL_SETTLED);
  EXPECT_EQ(kv_.ValueOf("k"), "(none)");
  EXPECT_EQ(kv_.ApplyOne(SettleCommand(session, 1)).SerializeAsString(), settle.SerializeAsString());
}

TEST_F(SessionsTest, SettlingWhatHasEndedTellsHow) {
  const uint64_t session = Open();
  const CommandResult put = Put(session, 1, 1, "k", "a");
  const CommandResult settle = kv_.ApplyOne(SettleCommand(session, 1));
  EXPECT_EQ(settle.settled().SerializeAsString(), put.SerializeAsString());
  CommandResult result;
  EXPECT_EQ(kv_.machine().FateOf(session, 1, result), Fate::kEnded);
  EXPECT_EQ(result.SerializeAsString(), put.SerializeAsString());
}

TEST_F(SessionsTest, CommandsWithoutWhatTheyNeedAreMalformed) {
  const uint64_t session = Open();
  EXPECT_EQ(Put(session, 0, 1, "k", "a").refusal(), CommandResult::REFUSAL_MALFORMED);
  EXPECT_EQ(kv_.ApplyOne(CloseSessionCommand(0)).refusal(), CommandResult::REFUSAL_MALFORMED);
  EXPECT_EQ(kv_.ApplyOne(SettleCommand(0, 1)).refusal(), CommandResult::REFUSAL_MALFORMED);
  EXPECT_EQ(kv_.ApplyOne(InSession(session, 1, 1, OpenSessionCommand())).refusal(), CommandResult::REFUSAL_MALFORMED);
}

TEST_F(SessionsTest, TheHighestNumbersDoNoHarm) {
  const uint64_t session = Open();
  EXPECT_EQ(Put(session, UINT64_MAX, UINT64_MAX, "k", "a").refusal(), CommandResult::REFUSAL_NONE);
  EXPECT_EQ(Put(session, UINT64_MAX, UINT64_MAX, "k", "a").version(), 1u);
  EXPECT_EQ(kv_.ApplyOne(CloseSessionCommand(session)).refusal(), CommandResult::REFUSAL_NONE);
  EXPECT_FALSE(kv_.store().Get(AnswersKey(session, UINT64_MAX)).has_value()) << "it was left behind";
}

TEST_F(SessionsTest, AnswersOfOneSlotAreOneRecordThatGoesWithTheLast) {
  const uint64_t session = Open();
  const auto put = [&](uint64_t number, uint64_t floor) {
    return InSession(session, number, floor, PutCommand("k", "a"));
  };
  kv_.Apply({put(2, 1), put(1, 1), put(3, 1)});
  EXPECT_TRUE(IsStored(session, 2)) << "a block is known by the first answer";
  EXPECT_FALSE(IsStored(session, 1));
  EXPECT_FALSE(IsStored(session, 3));
  const CommandResult third = kv_.ApplyOne(put(3, 3));
  EXPECT_EQ(third.version(), 3u) << "two of the block's answers are dropped, and the third with them";
  EXPECT_EQ(FateOf(session, 2), Fate::kBelowFloor);
  EXPECT_EQ(FateOf(session, 3), Fate::kEnded);
  kv_.ApplyOne(put(4, 4));
  EXPECT_FALSE(IsStored(session, 2)) << "it was left behind";
  EXPECT_EQ(FateOf(session, 4), Fate::kEnded);
}

TEST_F(SessionsTest, AnAnswerThatIsDroppedInItsOwnSlotIsNeverStored) {
  const uint64_t session = Open();
  const auto results =
      kv_.Apply({InSession(session, 1, 1, PutCommand("k", "a")), InSession(session, 2, 2, PutCommand("k", "b")),
                 InSession(session, 2, 2, PutCommand("k", "b"))});
  EXPECT_EQ(results[2].version(), 2u);
  EXPECT_FALSE(IsStored(session, 1));
  EXPECT_TRUE(IsStored(session, 2));
}

TEST_F(SessionsTest, ABlockThatIsFullIsFollowedByAnother) {
  paxos::SimulatedFileSystem files(1);
  OpenStore kv(files);
  const uint64_t session = kv.ApplyOne(OpenSessionCommand()).session();
  std::vector<std::string> commands;
  for (uint64_t number = 1; number <= 1000; ++number) {
    commands.push_back(InSession(session, number, 1, PutCommand("k", "v", true)));
  }
  const auto results = kv.Apply(commands);
  size_t blocks = 0;
  for (uint64_t number = 1; number <= 1000; ++number) {
    blocks += kv.store().Get(AnswersKey(session, number)).has_value() ? 1 : 0;
  }
  EXPECT_GT(blocks, 1u);
  EXPECT_LT(blocks, 10u);
  for (size_t i = 0; i < commands.size(); i += 37) {
    EXPECT_EQ(kv.ApplyOne(commands[i]).SerializeAsString(), results[i].SerializeAsString()) << i;
  }
}

// What the store can only hold if it was damaged, or written by a program that is wrong.
TEST(SessionsLoadTest, RefusesAnswersThatCannotBe) {
  constexpr uint64_t kSession = 7;
  std::string answers;
  AppendAnswer(3, {.hash = 1, .result = "r"}, answers);
  const auto load = [&](uint64_t session, uint64_t floor, const std::vector<std::string>& blocks) {
    paxos::SimulatedFileSystem files(1);
    OpenStore kv(files);
    leveldb::WriteBatch batch;
    batch.Put(MetaKey(Meta::kSessionLimits), ToWire(SessionLimits()).SerializeAsString());
    batch.Put(SessionKey(session), EncodeSessionRecord({.floor = floor, .used = {}, .owner = "somebody"}));
    for (size_t i = 0; i < blocks.size(); ++i) batch.Put(AnswersKey(kSession, i), blocks[i]);
    kv.store().Write(batch);
    return std::string(Sessions::Load(kv.store()).status().message());
  };
  EXPECT_EQ(load(kSession, 3, {answers}), "");
  EXPECT_THAT(load(kSession + 1, 3, {answers}), testing::HasSubstr("a session that it does not know"));
  EXPECT_THAT(load(kSession, 3, {answers, answers}), testing::HasSubstr("two answers to one request"));
  EXPECT_THAT(load(kSession, 4, {answers}), testing::HasSubstr("has dropped"));
  EXPECT_THAT(load(kSession, 3, {answers + "x"}), testing::HasSubstr("malformed"));
}

TEST(SessionsLoadTest, RefusesASessionThatCannotBe) {
  paxos::SimulatedFileSystem files(1);
  OpenStore kv(files);
  std::string answers;
  AppendAnswer(3, {.hash = 1, .result = "r"}, answers);
  leveldb::WriteBatch batch;
  batch.Put(MetaKey(Meta::kSessionLimits), ToWire(SessionLimits()).SerializeAsString());
  batch.Put(SessionKey(7), "x");
  batch.Put(AnswersKey(7, 0), answers);
  kv.store().Write(batch);
  EXPECT_THAT(Sessions::Load(kv.store()).status().message(),
              testing::HasSubstr("a session record of the store is malformed"));
}

TEST(SessionsLoadTest, RefusesLimitsThatCannotBe) {
  const auto load = [](const std::optional<std::string>& limits) {
    paxos::SimulatedFileSystem files(1);
    OpenStore kv(files);
    leveldb::WriteBatch batch;
    batch.Put(SessionKey(7), EncodeSessionRecord({.floor = 1, .used = {}, .owner = "somebody"}));
    if (limits.has_value()) batch.Put(MetaKey(Meta::kSessionLimits), *limits);
    kv.store().Write(batch);
    return std::string(Sessions::Load(kv.store()).status().message());
  };
  EXPECT_EQ(load(ToWire(SessionLimits()).SerializeAsString()), "");
  EXPECT_THAT(load("\xff"), testing::HasSubstr("malformed"));
  EXPECT_THAT(load(""), testing::HasSubstr("malformed")) << "limits of 0";
  EXPECT_THAT(load(std::nullopt), testing::HasSubstr("no limits"));
}

// The table is found again after a restart, from what LevelDB has flushed and the log beyond that.
TEST_F(SessionsTest, TheTableAnswersARepetitionWithoutTheLog) {
  const uint64_t session = Open();
  const std::string request = InSession(session, 2, 1, PutCommand("k", "a", true));
  EXPECT_EQ(AnswerTo(request), std::nullopt);
  const CommandResult first = kv_.ApplyOne(request);
  kv_.ApplyOne(PutCommand("k", "other"));
  const std::optional<CommandResult> again = AnswerTo(InSession(session, 2, 2, PutCommand("k", "a", true)));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(FateOf(session, 2), Fate::kEnded);
}

TEST_F(SessionsTest, TheTableAnswersNothingThatItDoesNotKnow) {
  const uint64_t session = Open();
  const std::string put = PutCommand("k", "a", true);
  Put(session, 2, 1, "k", "a");
  EXPECT_EQ(AnswerTo(InSession(session, 1, 1, put)), std::nullopt) << "not carried out";
  EXPECT_EQ(AnswerTo(InSession(session, 3, 1, put)), std::nullopt) << "not carried out";
  EXPECT_EQ(AnswerTo(InSession(session, 2, 1, PutCommand("k", "b", true))), std::nullopt) << "another request";
  EXPECT_EQ(AnswerTo(InSession(session + 1, 2, 1, put)), std::nullopt) << "another session";
  EXPECT_EQ(AnswerTo(put), std::nullopt) << "of no session";
  EXPECT_EQ(AnswerTo(SettleCommand(session, 2)), std::nullopt) << "the log settles";
  Put(session, 5, 5, "k", "c");
  EXPECT_EQ(AnswerTo(InSession(session, 2, 1, put)), std::nullopt) << "below the floor";
}

TEST_F(SessionsTest, TheTableAnswersNothingForASessionThatIsOver) {
  const uint64_t session = Open();
  const std::string request = InSession(session, 1, 1, PutCommand("k", "a"));
  kv_.ApplyOne(request);
  const uint64_t closed = Open();
  const std::string of_closed = InSession(closed, 1, 1, PutCommand("k", "a"));
  kv_.ApplyOne(of_closed);
  kv_.ApplyOne(CloseSessionCommand(closed));
  EXPECT_EQ(AnswerTo(of_closed), std::nullopt);
  EXPECT_TRUE(AnswerTo(request).has_value());
  PassTo(150);
  kv_.ApplyOne(PutCommand("k", "b"));
  EXPECT_EQ(AnswerTo(request), std::nullopt);
}

TEST_F(SessionsTest, WhatWasSettledIsNoAnswerToARequest) {
  const uint64_t session = Open();
  kv_.ApplyOne(SettleCommand(session, 1));
  EXPECT_EQ(AnswerTo(InSession(session, 1, 1, PutCommand("k", "a"))), std::nullopt) << "the log refuses it";
}

TEST_F(SessionsTest, SurvivesARestart) {
  const uint64_t session = Open();
  const auto both = kv_.Apply(
      {InSession(session, 1, 1, PutCommand("k", "a", true)), InSession(session, 2, 1, PutCommand("k", "b", true))});
  const CommandResult second = Put(session, 2, 2, "k", "b");
  EXPECT_EQ(second.SerializeAsString(), both[1].SerializeAsString());
  for (int i = 0; i < 40; ++i) kv_.ApplyOne(PutCommand(StrCat("fill", i), std::string(4000, '.')));
  files_.Kill();
  OpenStore again(files_);
  ASSERT_GT(again.machine().applied().value(), 3u) << "nothing was flushed: the test proves little";
  EXPECT_EQ(again.ApplyOne(InSession(session, 2, 2, PutCommand("k", "b", true))).SerializeAsString(),
            second.SerializeAsString());
  EXPECT_EQ(again.ApplyOne(InSession(session, 1, 1, PutCommand("k", "a", true))).refusal(),
            CommandResult::REFUSAL_BELOW_FLOOR);
  // The limits are those that the store was made with.
  EXPECT_EQ(again.ApplyOne(InSession(session, 10, 2, PutCommand("k", "c"))).refusal(),
            CommandResult::REFUSAL_SESSION_FULL);
  EXPECT_EQ(again.machine().session_usage().greatest, "somebody");
}

TEST_F(SessionsTest, WhichSessionsWereUsedSurvivesARestart) {
  const uint64_t used = Open();
  const uint64_t unused = Open();
  Put(used, 1, 1, "k", "a");
  for (int i = 0; i < 40; ++i) kv_.ApplyOne(PutCommand(StrCat("fill", i), std::string(4000, '.')));
  files_.Kill();
  OpenStore again(files_);
  ASSERT_GT(again.machine().applied().value(), 3u) << "nothing was flushed: the test proves little";
  again.ApplyOne(OpenSessionCommand("other"));
  EXPECT_NE(again.ApplyOne(OpenSessionCommand("other")).session(), 0u) << "one is to make room";
  CommandResult result;
  EXPECT_EQ(again.machine().FateOf(unused, 1, result), Fate::kUnknownSession);
  EXPECT_EQ(again.machine().FateOf(used, 1, result), Fate::kEnded);
}

}  // namespace
}  // namespace decree::kv
