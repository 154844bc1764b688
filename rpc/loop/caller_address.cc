#include "rpc/loop/caller_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_replace.h"

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

std::string ClientOf(std::string_view caller) {
  std::string client;
  if (caller.starts_with(kIpv4)) client = HostOf(caller.substr(kIpv4.size()));
  if (caller.starts_with(kIpv6)) client = NetworkOf(HostOf(caller.substr(kIpv6.size())));
  if (client.empty()) return "this machine";
  return client.substr(0, kClientBytesMax);
}

}  // namespace decree::rpc
