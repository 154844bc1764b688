#include "rpc/loop/caller_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_replace.h"
#include "paxos/base/status.h"

namespace decree::rpc {
namespace {

constexpr std::string_view kIpv4 = "ipv4:";
constexpr std::string_view kIpv6 = "ipv6:";
constexpr size_t kNetworkBytes = 8;

// Without the port, the brackets, and the interface of a link-local address.
std::string HostOf(std::string_view address) {
  std::string host(address.substr(0, address.rfind(':')));
  host = absl::StrReplaceAll(host, {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
  return host.substr(0, host.find('%'));
}

std::string NetworkOf(const std::string& host) {
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return host;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    return inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
  }
  std::fill(std::begin(address.s6_addr) + kNetworkBytes, std::end(address.s6_addr), 0);
  return std::string(inet_ntop(AF_INET6, &address, text.data(), text.size())) + "/64";
}

}  // namespace

std::string NameOf(sockaddr_storage address) {
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  const uint16_t port = ntohs(v6.sin6_port);  // in both kinds it stands at the same place
  if (address.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = v6.sin6_port, .sin_addr = {}, .sin_zero = {}};
    std::memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
    std::memcpy(&address, &v4, sizeof(v4));
  }
  std::array<char, NI_MAXHOST> host{};
  getnameinfo(reinterpret_cast<const sockaddr*>(&address), sizeof(address), host.data(), host.size(), nullptr, 0,
              NI_NUMERICHOST);
  if (address.ss_family == AF_INET) return StrCat("ipv4:", host.data(), ":", port);
  return StrCat("ipv6:%5B", host.data(), "%5D:", port);
}

std::string CallerOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "nobody";
  return NameOf(address);
}

std::string ClientOf(std::string_view caller) {
  std::string client;
  if (caller.starts_with(kIpv4)) client = HostOf(caller.substr(kIpv4.size()));
  if (caller.starts_with(kIpv6)) client = NetworkOf(HostOf(caller.substr(kIpv6.size())));
  if (client.empty()) return "this machine";
  return client.substr(0, kClientBytesMax);
}

}  // namespace decree::rpc
