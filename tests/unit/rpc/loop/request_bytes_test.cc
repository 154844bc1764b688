#include "rpc/loop/request_bytes.h"

#include <string>

#include <gtest/gtest.h>

#include "decree/v1/kv.pb.h"

namespace decree::rpc {
namespace {

constexpr char kUnknownField[] = "\xa0\x3f\x01";  // number 1012, a varint

std::string Repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

v1::PutRequest LargePut() {
  v1::PutRequest put;
  put.mutable_header()->set_session(1);
  put.mutable_header()->set_number(2);
  put.set_key("key");
  put.set_value(std::string(1 << 20, 'x'));
  put.set_return_previous(true);
  return put;
}

TEST(ParseRequestTest, TakesWhatClientsSend) {
  const v1::PutRequest sent = LargePut();
  v1::PutRequest received;
  ASSERT_TRUE(ParseRequest(sent.SerializeAsString(), received));
  EXPECT_EQ(received.SerializeAsString(), sent.SerializeAsString());
  ASSERT_TRUE(ParseRequest("", received));
  EXPECT_EQ(received.ByteSizeLong(), 0u);
}

TEST(ParseRequestTest, FieldsOfALaterVersionAreTaken) {
  const std::string bytes = LargePut().SerializeAsString() + Repeat(kUnknownField, 40);
  v1::PutRequest received;
  EXPECT_TRUE(ParseRequest(bytes, received));
  EXPECT_EQ(received.value().size(), 1u << 20);
}

// Each would take several times its size in memory.
TEST(ParseRequestTest, RefusesManyFieldsWhereverTheyStand) {
  v1::PutRequest received;
  EXPECT_FALSE(ParseRequest(Repeat(kUnknownField, 100), received));
  EXPECT_FALSE(ParseRequest(LargePut().SerializeAsString() + Repeat(kUnknownField, 100), received));
  // In the header, which is field 1.
  const std::string fields = Repeat(kUnknownField, 100);
  EXPECT_FALSE(ParseRequest(std::string("\x0a\xac\x02") + fields, received)) << fields.size();
  // In a group.
  EXPECT_FALSE(ParseRequest("\xa3\x3f" + fields + "\xa4\x3f", received));
  // The same field again and again.
  EXPECT_FALSE(ParseRequest(Repeat(std::string("\x12\x01k", 3), 100), received));
}

// A message within that is to go on behind the end, with a field that is to be as long.
TEST(ParseRequestTest, RefusesWhatClaimsToBeLongAndHoldsNothingOfIt) {
  for (const size_t filling : {0, 1000}) {
    std::string bytes = "\x12";  // the key
    bytes += static_cast<char>(0x80 | filling % 128);
    bytes += static_cast<char>(filling / 128);
    bytes += std::string(filling, 'k');
    bytes += "\x0a\xff\xff\xff\x0f\x72\xff\xff\xff\x0eghijklmnopqrstuvwxyz";
    v1::DeleteRequest request;
    EXPECT_FALSE(ParseRequest(bytes, request));
    EXPECT_LT(request.SpaceUsedLong(), 1000u) << filling;
  }
}

TEST(ParseRequestTest, RefusesWhatIsNoMessage) {
  v1::PutRequest received;
  EXPECT_FALSE(
      ParseRequest("\x12\x05"
                   "four",
                   received));
  EXPECT_FALSE(ParseRequest(LargePut().SerializeAsString().substr(0, 1000), received));
  EXPECT_FALSE(ParseRequest(std::string(200, '\xff'), received));
  EXPECT_FALSE(ParseRequest(std::string(200, '\0'), received));
}

}  // namespace
}  // namespace decree::rpc
