#include "rpc/failure.h"

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using grpc::StatusCode;

TEST(FailureTest, TravelsInAMessageWhole) {
  Failure failure = OutcomeUnknown(StatusCode::ABORTED, "lost");
  failure.detail.set_leader(3);
  const Failure copy = Failure::FromRequestError(failure.ToRequestError());
  EXPECT_EQ(copy.code, StatusCode::ABORTED);
  EXPECT_EQ(copy.text, "lost");
  EXPECT_EQ(copy.detail.SerializeAsString(), failure.detail.SerializeAsString());
}

// gRPC ends a process that fails a call with OK.
TEST(FailureTest, ACodeThatIsNoneIsNoReasonToFail) {
  for (const int code : {0, -1, 17, 1 << 30}) {
    v1::RequestError error;
    error.set_code(code);
    EXPECT_EQ(Failure::FromRequestError(error).code, StatusCode::UNKNOWN) << code;
  }
  for (const int code : {1, 16}) {
    v1::RequestError error;
    error.set_code(code);
    EXPECT_EQ(Failure::FromRequestError(error).code, static_cast<StatusCode>(code));
  }
}

TEST(FailureTest, WhoIsRefusedForALackOfRoomIsToldWhenToComeAgain) {
  const Failure failure = Overloaded("full");
  EXPECT_EQ(failure.code, StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_GT(failure.detail.retry_after_ms(), 0u);
  EXPECT_EQ(failure.detail.outcome(), v1::ErrorDetail::OUTCOME_NOT_EXECUTED);
}

}  // namespace
}  // namespace decree::rpc
