#include "rpc/kv/request_batch.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string BatchOf(const std::vector<std::string>& keys) {
  v1::RequestBatch batch;
  for (const std::string& key : keys) batch.add_requests()->mutable_get()->set_key(key);
  return batch.SerializeAsString();
}

// The keys of all requests, before it turns out that there are no more.
std::vector<std::string> KeysOf(RequestBatch& batch) {
  std::vector<std::string> keys;
  v1::PipelinedRequest request;
  while (!batch.empty() && !batch.is_broken()) {
    EXPECT_GT(batch.next_bytes(), 0u);
    if (batch.TakeNext(request)) keys.push_back(request.get().key());
  }
  return keys;
}

RequestBatch Receive(const std::string& bytes) { return RequestBatch(bytes); }

TEST(RequestBatchTest, GivesItsRequestsInTheirOrder) {
  const std::string long_key(1000, 'k');
  RequestBatch batch = Receive(BatchOf({"a", long_key, "c"}));
  EXPECT_THAT(KeysOf(batch), ElementsAre("a", long_key, "c"));
  EXPECT_TRUE(batch.empty());
  EXPECT_FALSE(batch.is_broken());
}

TEST(RequestBatchTest, MayHaveNone) {
  RequestBatch none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.bytes(), 0u);
  RequestBatch received = Receive("");
  EXPECT_TRUE(received.empty());
  EXPECT_FALSE(received.is_broken());
}

// A string keeps few bytes in itself.
TEST(RequestBatchTest, MayBeMovedHoweverSmall) {
  for (const std::string& key : {std::string("k"), std::string(100, 'k')}) {
    auto first = std::make_unique<RequestBatch>(Receive(BatchOf({key, "b"})));
    RequestBatch second = std::move(*first);
    *first = Receive(BatchOf({"x", "y", "z"}));
    EXPECT_THAT(KeysOf(second), ElementsAre(key, "b"));
  }
}

TEST(RequestBatchTest, EmptyRequestsAreRequests) {
  constexpr int kCount = 1000;
  std::string bytes;
  for (int i = 0; i < kCount; ++i) bytes += std::string("\x0a\x00", 2);
  RequestBatch batch = Receive(bytes);
  int count = 0;
  v1::PipelinedRequest request;
  for (; !batch.empty(); ++count) {
    EXPECT_EQ(batch.next_bytes(), 0u);
    ASSERT_TRUE(batch.TakeNext(request));
  }
  EXPECT_EQ(count, kCount);
}

TEST(RequestBatchTest, WhatALaterVersionAddsIsPassedOver) {
  RequestBatch batch = Receive(BatchOf({"a"}) + "\xa0\x3f\x01" + BatchOf({"b"}) + "\xa0\x3f\x01");
  EXPECT_THAT(KeysOf(batch), ElementsAre("a", "b"));
  EXPECT_FALSE(batch.is_broken());
}

// What came before it is served.
TEST(RequestBatchTest, EndsWhereItIsBroken) {
  for (const std::string& rest :
       {std::string("\x0a\x7f short"), std::string("\x0a"), std::string("\x0a\xff\xff\xff\xff\xff\xff", 7),
        std::string("\x00", 1), std::string("\x0a\x03\xff\xff\xff"), std::string("\xa0")}) {
    RequestBatch batch = Receive(BatchOf({"a"}) + rest);
    EXPECT_THAT(KeysOf(batch), ElementsAre("a"));
    EXPECT_TRUE(batch.is_broken()) << testing::PrintToString(rest);
    EXPECT_FALSE(batch.empty());
  }
  RequestBatch broken = Receive("\xff");
  EXPECT_THAT(KeysOf(broken), IsEmpty());
  EXPECT_TRUE(broken.is_broken());
}

TEST(RequestBatchTest, ARequestOfManyFieldsIsNone) {
  std::string fields;
  for (int i = 0; i < 100; ++i) fields += "\xa0\x3f\x01";
  RequestBatch batch = Receive(std::string("\x0a\xac\x02") + fields);
  EXPECT_THAT(KeysOf(batch), IsEmpty());
  EXPECT_TRUE(batch.is_broken());
}

}  // namespace
}  // namespace decree::rpc
