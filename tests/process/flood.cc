#include "tests/process/flood.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <glog/logging.h>

#include "paxos/base/status.h"
#include "tests/process/http2.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;

std::string Message(FloodOf what, uint32_t stream) {
  switch (what) {
    case FloodOf::kCalls:
      return http2::Call(stream);
    case FloodOf::kCancelledCalls:
      return http2::Call(stream) + http2::Frame(http2::kReset, 0, stream, std::string(4, '\0'));
    case FloodOf::kPings:
      return http2::Frame(http2::kPing, http2::kAcknowledges, 0, std::string(8, '\0'));
    case FloodOf::kDataOfNoCall:
      return http2::Frame(http2::kData, 0, 3, std::string(16384, 'x'));
  }
  LOG(FATAL) << "no such flood";
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
  const int fd = http2::Connect(address);
  uint32_t stream = 1;
  bool goes_on = Send(fd, http2::Beginning(method), until);
  while (goes_on) {
    std::string messages;
    for (int i = 0; i < kAtOnce; ++i) messages += Message(what, stream += 2);
    goes_on = Send(fd, messages, until);
  }
  close(fd);
}

}  // namespace

Flood::Flood(const std::string& address, const std::string& method, FloodOf what, size_t connections, double seconds) {
  const auto until =
      steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(seconds));
  for (size_t i = 0; i < connections; ++i) threads_.emplace_back(SendWithoutEnd, address, method, what, until);
}

void Flood::Wait() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace decree::process
