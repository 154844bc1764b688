#include "tests/process/flood.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <glog/logging.h>

#include "paxos/base/status.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;

enum FrameType : char { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6 };
constexpr char kEndHeaders = 4;

// RFC 9113, section 4.1.
std::string Frame(FrameType type, char flags, uint32_t stream, std::string_view payload) {
  std::string frame(9, '\0');
  for (int i = 0; i < 3; ++i) frame[i] = static_cast<char>(payload.size() >> (8 * (2 - i)));
  frame[3] = type;
  frame[4] = flags;
  for (int i = 0; i < 4; ++i) frame[5 + i] = static_cast<char>(stream >> (8 * (3 - i)));
  return frame.append(payload);
}

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

std::string FirstHeaders(const std::string& method) {
  return StrCat(kPost, kHttp, Field(kPath, method), Field(kAuthority, "x"), Field(kContentType, "application/grpc"),
                NewField("te", "trailers"));
}
// The same in a few bytes: what the decoder has kept.
constexpr char kSameHeaders[] = "\x83\x86\xc1\xc0\xbf\xbe";

std::string Message(FloodOf what, uint32_t stream) {
  switch (what) {
    case FloodOf::kCalls:
      return Frame(kHeaders, kEndHeaders, stream, kSameHeaders);
    case FloodOf::kCancelledCalls:
      return Frame(kHeaders, kEndHeaders, stream, kSameHeaders) + Frame(kReset, 0, stream, std::string(4, '\0'));
    case FloodOf::kPings:
      return Frame(kPing, 1, 0, std::string(8, '\0'));
    case FloodOf::kDataOfNoCall:
      return Frame(kData, 0, 3, std::string(16384, 'x'));
  }
  LOG(FATAL) << "no such flood";
}

int Connect(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoul(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_GE(fd, 0);
  CHECK_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  return fd;
}

// False if the other end has ended the connection, or the time is over.
bool Send(int fd, std::string_view bytes, steady_clock::time_point until) {
  std::string taken(65536, '\0');
  while (!bytes.empty()) {
    pollfd wait{.fd = fd, .events = POLLOUT | POLLIN, .revents = 0};
    poll(&wait, 1, 10);
    if (steady_clock::now() > until) return false;
    // It takes what it is told, and does not care.
    if ((wait.revents & POLLIN) != 0 && recv(fd, taken.data(), taken.size(), MSG_DONTWAIT) <= 0) return false;
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void SendWithoutEnd(const std::string& address, const std::string& method, FloodOf what,
                    steady_clock::time_point until) {
  constexpr int kAtOnce = 1000;
  const int fd = Connect(address);
  uint32_t stream = 1;
  bool goes_on = Send(fd, StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(kSettings, 0, 0, ""),
                                 Frame(kHeaders, kEndHeaders, stream, FirstHeaders(method))), until);
  while (goes_on) {
    std::string messages;
    for (int i = 0; i < kAtOnce; ++i) messages += Message(what, stream += 2);
    goes_on = Send(fd, messages, until);
  }
  close(fd);
}

}  // namespace

Flood::Flood(const std::string& address, const std::string& method, FloodOf what, size_t connections, double seconds) {
  const auto until = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                               std::chrono::duration<double>(seconds));
  for (size_t i = 0; i < connections; ++i) threads_.emplace_back(SendWithoutEnd, address, method, what, until);
}

void Flood::Wait() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace decree::process
