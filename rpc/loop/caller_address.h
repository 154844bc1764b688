#pragma once
// Tells the clients of a node apart by where their connections come from.

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace decree::rpc {

// The name that gRPC gives to the address from which a connection comes.
std::string NameOf(sockaddr_storage address);
// The same, by the connection's socket.
std::string CallerOf(int fd);

inline constexpr size_t kClientBytesMax = 255;

// The host of an address as gRPC names it (ipv4:1.2.3.4:5, ipv6:[...]:5, unix:path): an IPv4 address, or the first 64
// bits of an IPv6 address, because all addresses that begin so belong to one customer. Never empty.
std::string ClientOf(std::string_view caller);

}  // namespace decree::rpc
