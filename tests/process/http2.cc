#include "tests/process/http2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <glog/logging.h>

#include "paxos/base/status.h"

namespace decree::process::http2 {
namespace {

// RFC 7541: the name of the static table's entry, or a new one, with its value; the decoder keeps both.
std::string Field(int name, std::string_view value) {
  std::string field(1, static_cast<char>(0x40 | name));
  field += static_cast<char>(value.size());
  return field.append(value);
}
std::string NewField(std::string_view name, std::string_view value) {
  std::string field("\x40");
  field += static_cast<char>(name.size());
  field.append(name) += static_cast<char>(value.size());
  return field.append(value);
}

constexpr char kPost[] = "\x83";
constexpr char kHttp[] = "\x86";
constexpr int kAuthority = 1;
constexpr int kPath = 4;
constexpr int kContentType = 31;
// The same as the first headers in a few bytes: what the decoder has kept.
constexpr char kSameHeaders[] = "\x83\x86\xc1\xc0\xbf\xbe";

}  // namespace

// RFC 9113, section 4.1.
std::string Frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string frame(9, '\0');
  for (int i = 0; i < 3; ++i) frame[i] = static_cast<char>(payload.size() >> (8 * (2 - i)));
  frame[3] = static_cast<char>(type);
  frame[4] = static_cast<char>(flags);
  for (int i = 0; i < 4; ++i) frame[5 + i] = static_cast<char>(stream >> (8 * (3 - i)));
  return frame.append(payload);
}

std::string Beginning(const std::string& method) {
  const std::string headers = StrCat(kPost, kHttp, Field(kPath, method), Field(kAuthority, "x"),
                                     Field(kContentType, "application/grpc"), NewField("te", "trailers"));
  return StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(kSettings, 0, 0, ""),
                Frame(kHeaders, kEndHeaders, 1, headers));
}

std::string Call(uint32_t stream) { return Frame(kHeaders, kEndHeaders, stream, kSameHeaders); }

int Connect(const std::string& address, const std::string& from) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  sockaddr_in own = to;
  CHECK_EQ(inet_pton(AF_INET, from.c_str(), &own.sin_addr), 1) << from;
  to.sin_port = htons(static_cast<uint16_t>(std::stoul(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_GE(fd, 0);
  CHECK_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof(own)), 0) << strerror(errno);
  CHECK_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  return fd;
}

}  // namespace decree::process::http2
