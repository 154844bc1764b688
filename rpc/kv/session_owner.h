#pragma once
// Whose a session is: who shares the table with others is told apart by where its requests come from.

#include <string>
#include <string_view>

namespace decree::rpc {

// The host of an address as gRPC names it (ipv4:1.2.3.4:5, ipv6:[...]:5, unix:path): an IPv4 address, or the first 64 bits
// of an IPv6 address, for one customer has all that begin so. Never empty, and 255 bytes at most.
std::string OwnerOf(std::string_view caller);

}  // namespace decree::rpc
