#include "rpc/loop/caller_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

std::string NameOfIpv6(const char* host) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(4567);
  EXPECT_EQ(inet_pton(AF_INET6, host, &address.sin6_addr), 1);
  sockaddr_storage any{};
  std::memcpy(&any, &address, sizeof(address));
  return NameOf(any);
}

TEST(CallerAddressTest, IsNamedAsGrpcDoes) {
  EXPECT_EQ(NameOfIpv6("2001:db8::1"), "ipv6:%5B2001:db8::1%5D:4567");
  EXPECT_EQ(NameOfIpv6("::ffff:10.1.2.3"), "ipv4:10.1.2.3:4567");
  EXPECT_EQ(CallerOf(-1), "nobody");
}

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
