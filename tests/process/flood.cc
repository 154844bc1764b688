#include "tests/process/flood.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "paxos/base/status.h"
#include "tests/process/http2.h"

namespace decree::process {
namespace {

using std::chrono::steady_clock;

// Each has the name "a", and no value.
const std::string kManyFields = [] {
  std::string fields;
  for (int i = 0; i < 4000; ++i) fields += std::string("\0\1a\0", 4);
  return fields;
}();

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
    case FloodOf::kHeaders:
      return http2::Frame(http2::kContinuation, 0, 3, kManyFields);
    case FloodOf::kCallsOfNothing:
      return http2::Frame(http2::kHeaders, http2::kEndHeaders, stream, "");
    case FloodOf::kQuestions:
      return http2::Frame(http2::kPing, 0, 0, std::string(8, '\0')) + http2::Frame(http2::kSettings, 0, 0, "");
  }
  LOG(FATAL) << "no such flood";
}

class Connection {
 public:
  Connection(const std::string& address, const std::string& method, FloodOf what)
      : what_(what), fd_(http2::Connect(address, "127.0.0.2")), unsent_(http2::Beginning(method)) {
    if (what == FloodOf::kHeaders) unsent_ += http2::Frame(http2::kHeaders, 0, 3, "");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(fd_); }

  int fd() const { return fd_; }
  // What it waits for: for room to send, and perhaps for what it is told.
  short events() const {
    const bool takes_nothing = what_ == FloodOf::kQuestions || what_ == FloodOf::kCallsOfNothing;
    return takes_nothing ? POLLOUT : POLLOUT | POLLIN;
  }
  // Sends what may be sent now. False if the other end has ended the connection.
  bool Send() {
    if (unsent_.empty()) AddMessages();
    const ssize_t sent = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) unsent_.erase(0, static_cast<size_t>(sent));
    return sent >= 0 || errno == EAGAIN;
  }
  // Takes what it is told, and does not care. False if the other end has ended the connection.
  bool Receive(std::string& buffer) const {
    const ssize_t received = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return received > 0 || (received < 0 && errno == EAGAIN);
  }

 private:
  void AddMessages() {
    constexpr int kAtOnce = 1000;
    for (int i = 0; i < kAtOnce && unsent_.size() < kUnsentMax; ++i) unsent_ += Message(what_, stream_ += 2);
  }

  static constexpr size_t kUnsentMax = 256 << 10;
  const FloodOf what_;
  const int fd_;
  uint32_t stream_ = 1;
  std::string unsent_;
};

using Connect = std::function<std::unique_ptr<Connection>()>;

void SendWithoutEnd(const Connect& connect, size_t connections, steady_clock::time_point until) {
  std::vector<std::unique_ptr<Connection>> open(connections);
  std::string buffer(65536, '\0');
  while (steady_clock::now() < until) {
    for (auto& one : open) {
      if (one == nullptr) one = connect();
    }
    std::vector<pollfd> waits;
    for (const auto& one : open) waits.push_back({.fd = one->fd(), .events = one->events(), .revents = 0});
    poll(waits.data(), waits.size(), 10);
    for (size_t i = 0; i < waits.size(); ++i) {
      const bool goes_on = ((waits[i].revents & POLLIN) == 0 || open[i]->Receive(buffer)) &&
                           ((waits[i].revents & POLLOUT) == 0 || open[i]->Send());
      if (!goes_on) open[i] = nullptr;
    }
  }
}

}  // namespace

Flood::Flood(const std::string& address, const std::string& method, FloodOf what, size_t connections, double seconds) {
  const auto until =
      steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(seconds));
  const Connect connect = [=] { return std::make_unique<Connection>(address, method, what); };
  thread_ = std::thread([=] { SendWithoutEnd(connect, connections, until); });
}

void Flood::Wait() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace decree::process
