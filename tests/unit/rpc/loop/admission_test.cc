#include "rpc/loop/admission.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/rpc/loop/loop_fixture.h"

namespace decree::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AdmissionTest : public testing::Test {
 protected:
  EventLoop& loop() { return manual_.loop(); }
  void Turn() { manual_.Run(); }

  ManualLoop manual_;
};

TEST_F(AdmissionTest, APlaceIsLeftWhenItIsGone) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  {
    const Admission::Place place = admission.Enter(60);
    EXPECT_TRUE(place);
    EXPECT_EQ(admission.requests(), 1u);
    EXPECT_EQ(admission.bytes(), 60u);
  }
  EXPECT_EQ(admission.requests(), 0u);
  EXPECT_EQ(admission.bytes(), 0u);
}

TEST_F(AdmissionTest, APlaceThatMovesIsLeftOnce) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  Admission::Place last;
  EXPECT_FALSE(last);
  {
    Admission::Place first = admission.Enter(60);
    Admission::Place second = std::move(first);
    EXPECT_FALSE(first);
    last = std::move(second);
  }
  EXPECT_EQ(admission.bytes(), 60u);
  last = {};
  EXPECT_EQ(admission.bytes(), 0u);
  EXPECT_EQ(admission.requests(), 0u);
}

TEST_F(AdmissionTest, APlaceThatIsTakenOverLeavesTheFormer) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  Admission::Place place = admission.Enter(60);
  place = admission.Enter(30);
  EXPECT_EQ(admission.requests(), 1u);
  EXPECT_EQ(admission.bytes(), 30u);
}

TEST_F(AdmissionTest, NeitherTooManyNorTooMuch) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  std::optional<Admission::Place> first = admission.Enter(60);
  EXPECT_FALSE(admission.Enter(41)) << "too much";
  const Admission::Place second = admission.Enter(40);
  EXPECT_TRUE(second);
  EXPECT_FALSE(admission.Enter(0)) << "too many";
  first.reset();
  EXPECT_TRUE(admission.Enter(1));
}

TEST_F(AdmissionTest, OneRequestFindsRoomWhateverItWeighs) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  const Admission::Place place = admission.Enter(1000);
  EXPECT_TRUE(place);
  EXPECT_FALSE(admission.Enter(1));
}

TEST_F(AdmissionTest, WhoWaitsHasItsTurnOnceThereIsRoom) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  Admission::Place first = admission.Enter(60);
  Admission::Place second = admission.Enter(40);
  std::vector<std::string> served;
  const auto await = [&](const std::string& name) { admission.Await([&served, name] { served.push_back(name); }); };
  await("a");
  await("b");
  Turn();
  EXPECT_THAT(served, IsEmpty());
  first = {};
  EXPECT_THAT(served, IsEmpty()) << "not while a place is being left";
  Turn();
  EXPECT_THAT(served, ElementsAre("a", "b"));
  second = {};
  Turn();
  EXPECT_EQ(admission.waiting(), 0u);
  EXPECT_EQ(served.size(), 2u);
}

TEST_F(AdmissionTest, WhoWaitsAgainIsTheLastInLine) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  Admission::Place first = admission.Enter(60);
  Admission::Place second = admission.Enter(40);
  std::vector<Admission::Place> places;
  const std::function<void()> large = [&] {
    Admission::Place place = admission.Enter(50);
    if (!place) return admission.Await(large);
    places.push_back(std::move(place));
  };
  admission.Await(large);
  admission.Await([&] { places.push_back(admission.Enter(30)); });
  second = {};
  Turn();
  EXPECT_EQ(admission.bytes(), 90u) << "the small one";
  EXPECT_EQ(admission.waiting(), 1u);
  first = {};
  Turn();
  EXPECT_EQ(admission.bytes(), 80u);
  EXPECT_EQ(admission.waiting(), 0u);
}

TEST_F(AdmissionTest, NobodyHasATurnWhileThereAreTooManyRequests) {
  Admission admission(loop(), {.requests_max = 2, .bytes_max = 100});
  const Admission::Place first = admission.Enter(1);
  EXPECT_FALSE(admission.HasAllRequests());
  Admission::Place second = admission.Enter(1);
  EXPECT_TRUE(admission.HasAllRequests());
  int turns = 0;
  admission.Await([&] {
    ++turns;
    second = admission.Enter(1);
  });
  admission.Await([&] { ++turns; });
  second = {};
  Turn();
  EXPECT_EQ(turns, 1);
}

}  // namespace
}  // namespace decree::rpc
