#include "rpc/loop/budget.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rpc/loop/loop_fixture.h"

namespace decree::rpc {
namespace {

using Piece = Budget::Piece;
using Size = Budget::Size;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Large answers may use 75 of these.
constexpr Budget::Limits kLimits{.bytes_max = 100, .share = 40, .least = 4, .patience = Seconds(10)};

class BudgetTest : public testing::Test {
 protected:
  void TearDown() override { room_.Close(); }

  // One who takes answers of a test, and what it holds.
  struct Taker {
    Taker(BudgetTest& test, const std::string& called)
        : name(called), taker(test.room_, [this, &test] {
            test.cancelled_.push_back(name);
            return name;
          }) {}
    void Hold(size_t bytes) { held.Join(taker.Charge(bytes)); }

    std::string name;
    Budget::Holder taker;
    Piece held;
  };

  // Waits, and holds so many bytes when it is its turn.
  void Await(Taker& taker, size_t bytes, Size size = Size::kLarge, Time until = kTimeNever) {
    taker.taker.Await(size, until, [this, &taker, bytes](bool has_room) {
      if (has_room) taker.Hold(bytes);
      served_.push_back(taker.name + (has_room ? "" : " without"));
    });
  }
  Time In(Duration time) { return manual_.loop().Now() + time; }

  ManualLoop manual_;
  Budget room_{manual_.loop(), kLimits};
  Taker a_{*this, "a"};
  Taker b_{*this, "b"};
  Taker c_{*this, "c"};
  std::vector<std::string> served_;
  std::vector<std::string> cancelled_;
};

TEST_F(BudgetTest, APieceIsGivenBackWhenItGoes) {
  {
    Piece piece = a_.taker.Charge(30);
    EXPECT_EQ(room_.held(), 30u);
    piece.Resize(10);
    EXPECT_EQ(room_.held(), 10u);
    piece.Join(a_.taker.Charge(5));
    EXPECT_EQ(room_.held(), 15u);
    Piece moved = std::move(piece);
    EXPECT_EQ(moved.bytes(), 15u);
    moved = a_.taker.Charge(1);
    EXPECT_EQ(a_.taker.held(), 1u + piece.bytes());
  }
  EXPECT_EQ(room_.held(), 0u);
}

TEST_F(BudgetTest, WhoHasItsShareWaitsAndNotTheOthers) {
  a_.Hold(40);
  EXPECT_FALSE(a_.taker.HasRoom(Size::kSmall));
  EXPECT_TRUE(b_.taker.HasRoom(Size::kLarge));
  Await(a_, 1);
  Await(b_, 2);
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("b"));
  a_.held.Resize(39);
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("b", "a"));
}

TEST_F(BudgetTest, SmallAnswersHaveRoomThatLargeOnesLeave) {
  a_.Hold(39);
  b_.Hold(36);
  EXPECT_FALSE(c_.taker.HasRoom(Size::kLarge));
  EXPECT_TRUE(c_.taker.HasRoom(Size::kSmall));
  Await(c_, 20);
  Await(b_, 3, Size::kSmall);
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("b"));
  c_.Hold(22);
  EXPECT_FALSE(a_.taker.HasRoom(Size::kSmall));
}

TEST_F(BudgetTest, WhoHoldsLittleFindsRoomForSmallOnes) {
  const Piece all = a_.taker.Charge(100);
  b_.Hold(3);
  EXPECT_TRUE(b_.taker.HasRoom(Size::kSmall));
  EXPECT_FALSE(b_.taker.HasRoom(Size::kLarge));
  b_.Hold(1);
  EXPECT_FALSE(b_.taker.HasRoom(Size::kSmall));
  Await(b_, 1, Size::kSmall);
  Await(c_, 1, Size::kSmall);
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("c"));
  b_.held.Resize(3);
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("c", "b"));
}

TEST_F(BudgetTest, TheyAreServedInTurn) {
  Piece all = a_.taker.Charge(100);
  for (int i = 0; i < 3; ++i) Await(b_, 1);
  Await(c_, 1);
  EXPECT_FALSE(b_.taker.HasRoom(Size::kLarge)) << "others of it wait";
  manual_.Run();
  EXPECT_THAT(served_, IsEmpty());
  all = {};
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("b", "c", "b", "b"));
}

TEST_F(BudgetTest, OneAnswerAtATimeGoesBeyondTheLimit) {
  Piece all = a_.taker.Charge(75);
  Await(b_, 30);
  Await(c_, 30);
  all.Resize(74);
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("b"));
  EXPECT_EQ(room_.held(), 104u);
}

TEST_F(BudgetTest, SmallOnesDoNotWaitBehindLargeOnesOfTheSameTaker) {
  const Piece most = a_.taker.Charge(80);
  Await(b_, 1);
  EXPECT_TRUE(b_.taker.HasRoom(Size::kSmall));
  Piece all = a_.taker.Charge(20);
  b_.Hold(4);
  Await(b_, 1, Size::kSmall);
  EXPECT_FALSE(b_.taker.HasRoom(Size::kSmall));
  all = {};
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("b"));
}

TEST_F(BudgetTest, SmallAnswersTakeNoTurnFromLargeOnes) {
  for (int i = 0; i < 1000; ++i) a_.taker.Charge(10'000);
  EXPECT_TRUE(b_.taker.HasRoom(Size::kLarge));
}

TEST_F(BudgetTest, LargeAnswersAreBuiltAFewInATurn) {
  {
    const Piece many = a_.taker.Charge(Budget::Limits().turn_bytes);
    EXPECT_FALSE(b_.taker.HasRoom(Size::kLarge));
  }
  EXPECT_FALSE(b_.taker.HasRoom(Size::kLarge)) << "they have left, but their time is spent";
  EXPECT_TRUE(b_.taker.HasRoom(Size::kSmall));
  Await(b_, 1);
  Await(c_, 1, Size::kSmall);
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("c"));
  manual_.Pass(Seconds(2));
  EXPECT_THAT(served_, ElementsAre("c", "b"));
  EXPECT_TRUE(b_.taker.HasRoom(Size::kLarge));
}

TEST_F(BudgetTest, WhereBuildingThemTakesLongTheyAreFewer) {
  const Piece one = a_.taker.Charge(20 << 10);
  Budget room(manual_.loop(), {});
  Budget::Holder taker(room, [] { return ""; });
  manual_.Linger(Seconds(1));
  EXPECT_TRUE(taker.HasRoom(Size::kLarge)) << "one in each turn, at least";
  const Piece first = taker.Charge(20 << 10);
  EXPECT_FALSE(taker.HasRoom(Size::kLarge));
  EXPECT_TRUE(taker.HasRoom(Size::kSmall));
  manual_.Pass(Milliseconds(1));
  EXPECT_TRUE(taker.HasRoom(Size::kLarge));
}

TEST_F(BudgetTest, WhoWaitsForItsTurnIsNotShortOfRoom) {
  a_.Hold(30);
  manual_.Pass(Seconds(60));
  { const Piece many = b_.taker.Charge(Budget::Limits().turn_bytes); }
  Await(c_, 1);
  manual_.Run();
  manual_.Pass(Seconds(2));
  EXPECT_THAT(served_, ElementsAre("c"));
  EXPECT_THAT(cancelled_, IsEmpty());
}

TEST_F(BudgetTest, WhoWaitsTooLongGoesWithout) {
  const Piece all = a_.taker.Charge(100);
  Await(b_, 1, Size::kLarge, In(Seconds(3)));
  Await(b_, 1, Size::kLarge, In(Seconds(2)));
  manual_.Pass(Milliseconds(1999));
  EXPECT_THAT(served_, IsEmpty());
  manual_.Pass(Milliseconds(1));
  EXPECT_THAT(served_, ElementsAre("b without"));
  manual_.Pass(Seconds(1));
  EXPECT_THAT(served_, ElementsAre("b without", "b without"));
}

TEST_F(BudgetTest, WhoTakesNothingIsCancelledWhileTheRoomIsShort) {
  a_.Hold(38);
  b_.Hold(38);
  manual_.Pass(Seconds(30));
  EXPECT_THAT(cancelled_, IsEmpty()) << "nobody waits";
  Await(c_, 1);
  manual_.Pass(Milliseconds(100));
  b_.held.Resize(37);  // It takes something.
  manual_.Pass(Seconds(9));
  EXPECT_THAT(cancelled_, ElementsAre("a"));
  EXPECT_THAT(served_, IsEmpty());
  a_.held = {};
  manual_.Run();
  EXPECT_THAT(served_, ElementsAre("c"));
  manual_.Pass(Seconds(30));
  EXPECT_THAT(cancelled_, ElementsAre("a")) << "nobody waits any more";
}

TEST_F(BudgetTest, WhoCanDoNothingIsExcused) {
  a_.Hold(30);
  a_.held.Excuse();
  b_.Hold(35);
  c_.Hold(35);
  c_.held.Excuse();
  c_.held.Resize(36);
  Await(b_, 1);
  manual_.Pass(Seconds(12));
  EXPECT_THAT(cancelled_, UnorderedElementsAre("b", "c")) << "what was resized is the holder's business again";
  a_.held = {};
  EXPECT_EQ(room_.held(), 71u);
}

TEST_F(BudgetTest, WhoHasJustBegunToHoldHasItsTime) {
  a_.Hold(38);
  manual_.Pass(Seconds(20));
  b_.Hold(38);
  Await(c_, 1);
  manual_.Run();
  manual_.Pass(Seconds(2));
  EXPECT_THAT(cancelled_, ElementsAre("a"));
  manual_.Pass(Seconds(9));
  EXPECT_THAT(cancelled_, ElementsAre("a", "b", "a"));
}

TEST_F(BudgetTest, WhoKeepsItselfWaitingIsNotCancelled) {
  a_.Hold(40);
  Await(a_, 1);
  manual_.Pass(Seconds(60));
  EXPECT_THAT(cancelled_, IsEmpty());
}

TEST_F(BudgetTest, ATakerThatIsClosedGoesWithout) {
  const Piece all = a_.taker.Charge(100);
  Await(b_, 1);
  Await(b_, 1);
  Await(c_, 1);
  b_.taker.Close();
  EXPECT_THAT(served_, ElementsAre("b without", "b without"));
  Await(b_, 1);
  EXPECT_THAT(served_, ElementsAre("b without", "b without", "b without"));
}

TEST_F(BudgetTest, InAClosedRoomAllGoWithout) {
  const Piece all = a_.taker.Charge(100);
  Await(b_, 1);
  Await(c_, 1);
  room_.Close();
  EXPECT_THAT(served_, ElementsAre("b without", "c without"));
  Await(b_, 1);
  EXPECT_THAT(served_, ElementsAre("b without", "c without", "b without"));
}

TEST_F(BudgetTest, WhenRoomAsksForTheSizeOnlyIfItMatters) {
  int asked = 0;
  const auto size = [&asked] {
    ++asked;
    return Size::kSmall;
  };
  const auto then = [this](bool has_room) { served_.push_back(has_room ? "with" : "without"); };
  a_.taker.WhenRoom(kTimeNever, size, then);
  EXPECT_THAT(served_, ElementsAre("with"));
  EXPECT_EQ(asked, 0);
  const Piece most = b_.taker.Charge(80);
  a_.taker.WhenRoom(kTimeNever, size, then);
  EXPECT_THAT(served_, ElementsAre("with", "with"));
  EXPECT_EQ(asked, 1);
  a_.taker.WhenRoom(
      In(Seconds(1)), [] { return Size::kLarge; }, then);
  manual_.Pass(Seconds(2));
  EXPECT_THAT(served_, ElementsAre("with", "with", "without"));
}

}  // namespace
}  // namespace decree::rpc
