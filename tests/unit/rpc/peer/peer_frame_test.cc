#include "rpc/peer/peer_frame.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::SizeIs;

v1::PeerFrame Parse(grpc::ByteBuffer buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  v1::PeerFrame frame;
  EXPECT_TRUE(frame.ParseFromString(bytes));
  return frame;
}

TEST(PeerFrameTest, WhatWasSerialisedOnceMakesAnyBatch) {
  std::vector<grpc::Slice> elements;
  for (uint64_t life = 1; life <= 3; ++life) {
    v1::PeerMessage message;
    message.set_from_life(life);
    elements.push_back(EncodeElement(message));
  }
  elements.push_back(elements[0]);
  const v1::PeerFrame frame = Parse(MakeFrame(elements));
  ASSERT_THAT(frame.batch().messages(), SizeIs(4));
  EXPECT_EQ(frame.batch().messages(1).from_life(), 2u);
  EXPECT_EQ(frame.batch().messages(3).from_life(), 1u);
}

TEST(PeerFrameTest, ForwardedWritesMakeABatchOfTheirOwn) {
  v1::ForwardedWrite write;
  write.set_number(7);
  write.set_time_left_us(1500);
  write.set_command(std::string(100'000, 'x'));
  const std::vector<grpc::Slice> elements{EncodeElement(write), EncodeElement(v1::ForwardedWrite())};
  const v1::PeerFrame frame = Parse(MakeFrame(elements));
  ASSERT_THAT(frame.forwards().writes(), SizeIs(2));
  EXPECT_EQ(frame.forwards().writes(0).SerializeAsString(), write.SerializeAsString());
}

TEST(PeerFrameTest, AGreetingIsAFrame) {
  v1::PeerHello hello;
  hello.set_cluster("test");
  EXPECT_EQ(Parse(MakeFrame({{EncodeElement(hello)}})).hello().cluster(), "test");
}

}  // namespace
}  // namespace decree::rpc
