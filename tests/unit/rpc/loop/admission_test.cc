#include "rpc/loop/admission.h"

#include <optional>
#include <utility>

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

TEST(AdmissionTest, APlaceIsLeftWhenItIsGone) {
  Admission admission({.requests_max = 2, .bytes_max = 100});
  {
    const Admission::Place place = admission.Enter(60);
    EXPECT_TRUE(place);
    EXPECT_EQ(admission.requests(), 1u);
    EXPECT_EQ(admission.bytes(), 60u);
  }
  EXPECT_EQ(admission.requests(), 0u);
  EXPECT_EQ(admission.bytes(), 0u);
}

TEST(AdmissionTest, APlaceThatMovesIsLeftOnce) {
  Admission admission({.requests_max = 2, .bytes_max = 100});
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

TEST(AdmissionTest, APlaceThatIsTakenOverLeavesTheFormer) {
  Admission admission({.requests_max = 2, .bytes_max = 100});
  Admission::Place place = admission.Enter(60);
  place = admission.Enter(30);
  EXPECT_EQ(admission.requests(), 1u);
  EXPECT_EQ(admission.bytes(), 30u);
}

TEST(AdmissionTest, NeitherTooManyNorTooMuch) {
  Admission admission({.requests_max = 2, .bytes_max = 100});
  std::optional<Admission::Place> first = admission.Enter(60);
  EXPECT_FALSE(admission.Enter(41)) << "too much";
  const Admission::Place second = admission.Enter(40);
  EXPECT_TRUE(second);
  EXPECT_FALSE(admission.Enter(0)) << "too many";
  first.reset();
  EXPECT_TRUE(admission.Enter(1));
}

TEST(AdmissionTest, OneRequestFindsRoomWhateverItWeighs) {
  Admission admission({.requests_max = 2, .bytes_max = 100});
  const Admission::Place place = admission.Enter(1000);
  EXPECT_TRUE(place);
  EXPECT_FALSE(admission.Enter(1));
}

TEST(AdmissionTest, WhoWaitsIsToldOnceThatAPlaceWasLeft) {
  Admission admission({.requests_max = 2, .bytes_max = 100});
  Admission::Place first = admission.Enter(60);
  Admission::Place second = admission.Enter(40);
  int told = 0;
  admission.OnNextLeft([&] { ++told; });
  first = {};
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(admission.HasRoom(60));
  second = {};
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace decree::rpc
