#include "rpc/loop/caller_address.h"

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

TEST(CallerAddressTest, IsTheHostWithoutThePort) {
  EXPECT_EQ(ClientOf("ipv4:10.1.2.3:4567"), "10.1.2.3");
  EXPECT_EQ(ClientOf("ipv4:10.1.2.3:4568"), "10.1.2.3");
}

TEST(CallerAddressTest, OfIpv6IsTheNetwork) {
  EXPECT_EQ(ClientOf("ipv6:%5B2001:db8:1:2:aaaa::1%5D:4567"), "2001:db8:1:2::/64");
  EXPECT_EQ(ClientOf("ipv6:[2001:db8:1:2:bbbb::1]:4567"), "2001:db8:1:2::/64");
  EXPECT_EQ(ClientOf("ipv6:%5B2001:db8:1:3::1%5D:1"), "2001:db8:1:3::/64");
  EXPECT_EQ(ClientOf("ipv6:%5Bfe80::1%25eth0%5D:1"), "fe80::/64");
  EXPECT_EQ(ClientOf("ipv6:%5B::1%5D:1"), "::/64");
}

TEST(CallerAddressTest, AnIpv4AddressInAnIpv6OneIsThatAddress) {
  EXPECT_EQ(ClientOf("ipv6:%5B::ffff:10.1.2.3%5D:4567"), "10.1.2.3");
}

TEST(CallerAddressTest, IsNeverEmptyNorLong) {
  EXPECT_EQ(ClientOf("unix:/run/decree.sock"), "this machine");
  EXPECT_EQ(ClientOf(""), "this machine");
  EXPECT_EQ(ClientOf("ipv4:"), "this machine");
  EXPECT_EQ(ClientOf("ipv6:%5B%5D:1"), "this machine");
  EXPECT_LE(ClientOf("ipv4:" + std::string(1000, 'x') + ":1").size(), 255u);
}

}  // namespace
}  // namespace decree::rpc
