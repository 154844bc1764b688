#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <glog/logging.h>

namespace decree::check {
namespace {

using Clock = std::chrono::steady_clock;

// As many bytes as a small router holds.
constexpr uint64_t kQueueBytesMax = 64 << 10;
// Each connection in turn.
constexpr size_t kReadBytes = 4 << 10;
constexpr int kTickMs = 2;
// What may leave in one go after the thread was kept from running.
constexpr double kBurstSeconds = 0.02;

int NewSocket() {
  const int socket_number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  PCHECK(socket_number >= 0);
  return socket_number;
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

void SetOption(int socket_number, int level, int name, int value) {
  PCHECK(setsockopt(socket_number, level, name, &value, sizeof(value)) == 0);
}

bool MustWait() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

struct TcpProxy::Connection {
  int near = -1;  // whoever has connected
  int far = -1;   // the target
  std::shared_future<std::optional<uint32_t>> whose;
  std::string back;  // on the way back
  bool is_over = false;
};

struct TcpProxy::Chunk {
  Connection* connection;
  std::string bytes;
};

TcpProxy::TcpProxy(Whose whose) : whose_(std::move(whose)), listener_(NewSocket()) {
  sockaddr_in address = Loopback(0);
  PCHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  PCHECK(listen(listener_, 64) == 0);
  socklen_t size = sizeof(address);
  PCHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  stops_ = true;
  thread_.join();
  for (const Connection& connection : connections_) {
    close(connection.near);
    close(connection.far);
  }
  close(listener_);
}

void TcpProxy::Run() {
  auto last = Clock::now();
  while (!stops_) {
    Wait();
    const auto now = Clock::now();
    const double elapsed = std::chrono::duration<double>(now - last).count();
    last = now;
    const double rate = static_cast<double>(rate_);
    allowance_ = std::min(allowance_ + elapsed * rate, kBurstSeconds * rate);
    Accept();
    TakeIn();
    LetOut();
    for (Connection& connection : connections_) {
      if (!connection.is_over && MayPassBack(connection) && !PassBack(connection)) connection.is_over = true;
    }
    for (auto it = connections_.begin(); it != connections_.end();) {
      if (!it->is_over) {
        ++it;
        continue;
      }
      queue_.remove_if([&](const Chunk& chunk) {
        if (chunk.connection != &*it) return false;
        queued_ -= chunk.bytes.size();
        return true;
      });
      close(it->near);
      close(it->far);
      it = connections_.erase(it);
    }
  }
}

int TcpProxy::Wait() {
  std::vector<pollfd> polled{{.fd = listener_, .events = POLLIN, .revents = 0}};
  const bool has_room = queued_ < kQueueBytesMax;
  for (Connection& connection : connections_) {
    if (has_room && MayTakeIn(connection)) {
      polled.push_back({.fd = connection.near, .events = POLLIN, .revents = 0});
    }
    if (MayPassBack(connection)) polled.push_back({.fd = connection.far, .events = POLLIN, .revents = 0});
  }
  return poll(polled.data(), polled.size(), queue_.empty() ? 20 : kTickMs);
}

void TcpProxy::Accept() {
  for (;;) {
    sockaddr_in source{};
    socklen_t source_size = sizeof(source);
    const int near =
        accept4(listener_, reinterpret_cast<sockaddr*>(&source), &source_size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (near < 0) return;
    const int far = NewSocket();
    // Short buffers: what has left a sender and not arrived is to be in the queue, not in the kernel.
    SetOption(near, SOL_SOCKET, SO_RCVBUF, static_cast<int>(kQueueBytesMax));
    SetOption(far, IPPROTO_TCP, TCP_NODELAY, 1);
    SetOption(near, IPPROTO_TCP, TCP_NODELAY, 1);
    const sockaddr_in address = Loopback(target_port_);
    // On loopback it is there at once, or refused.
    if (connect(far, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 && errno != EINPROGRESS) {
      close(near);
      close(far);
      continue;
    }
    const Ports ports{.from = ntohs(source.sin_port), .to = port_};
    connections_.push_back(
        {.near = near, .far = far, .whose = std::async(std::launch::async, whose_, ports), .back = {}});
  }
}

bool TcpProxy::MayPass(Connection& connection, uint64_t held) {
  if (held == 0) return true;
  if (connection.is_over || connection.whose.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    return false;
  const std::optional<uint32_t> whose = connection.whose.get();
  // Nobody can say any more who it was that has gone; what it sent is lost.
  if (!whose) connection.is_over = true;
  return whose && (held >> *whose & 1) == 0;
}

void TcpProxy::TakeIn() {
  bool got_some = true;
  while (got_some && queued_ < kQueueBytesMax) {
    got_some = false;
    for (Connection& connection : connections_) {
      if (connection.is_over || !MayTakeIn(connection) || queued_ >= kQueueBytesMax) continue;
      char buffer[kReadBytes];
      const ssize_t size = recv(connection.near, buffer, sizeof(buffer), 0);
      if (size == 0 || (size < 0 && !MustWait())) connection.is_over = true;
      if (size <= 0) continue;
      queue_.push_back({.connection = &connection, .bytes = std::string(buffer, static_cast<size_t>(size))});
      queued_ += static_cast<uint64_t>(size);
      got_some = true;
    }
  }
}

void TcpProxy::LetOut() {
  while (!queue_.empty()) {
    Chunk& chunk = queue_.front();
    const bool is_limited = rate_ != 0;
    if (is_limited && allowance_ < static_cast<double>(chunk.bytes.size())) return;
    const ssize_t size = send(chunk.connection->far, chunk.bytes.data(), chunk.bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && MustWait()) return;  // The target does not read: the link is stopped up.
    if (size < 0) chunk.connection->is_over = true;
    const size_t gone = size < 0 ? chunk.bytes.size() : static_cast<size_t>(size);
    if (is_limited) allowance_ -= static_cast<double>(gone);
    queued_ -= gone;
    passed_ += gone;
    chunk.bytes.erase(0, gone);
    if (chunk.bytes.empty()) queue_.pop_front();
  }
}

bool TcpProxy::PassBack(Connection& connection) {
  for (;;) {
    while (!connection.back.empty()) {
      const ssize_t size = send(connection.near, connection.back.data(), connection.back.size(), MSG_NOSIGNAL);
      if (size < 0) return MustWait();
      connection.back.erase(0, static_cast<size_t>(size));
    }
    char buffer[64 << 10];
    const ssize_t size = recv(connection.far, buffer, sizeof(buffer), 0);
    if (size == 0 || (size < 0 && !MustWait() && errno != ENOTCONN)) return false;
    if (size < 0) return true;
    connection.back.assign(buffer, static_cast<size_t>(size));
  }
}

}  // namespace decree::check
