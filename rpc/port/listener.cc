#include "rpc/port/listener.h"

#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <glog/logging.h>
#include <grpc/support/time.h>

#include "rpc/loop/caller_address.h"

namespace decree::rpc {
namespace {

// How many may wait to be accepted; the kernel has a bound of its own. More would wait for longer than a client does.
constexpr int kBacklog = 512;
// These make 1,600 callers a second.
constexpr size_t kAtOnce = 16;
constexpr auto kPause = std::chrono::milliseconds(10);
// How long to wait after a failure that will not pass at once, such as too many open files.
constexpr int kNapMs = 100;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Status CannotListen(const std::string& address, const std::string& why) {
  return absl::UnavailableError(StrCat("cannot listen on ", address, ": ", why));
}

// The parts of HOST:PORT and [HOST]:PORT.
std::optional<std::pair<std::string, std::string>> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) return std::nullopt;
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  }
  return std::pair(host, address.substr(colon + 1));
}

StatusOr<Addresses> Resolve(const std::string& address) {
  const auto parts = SplitAddress(address);
  if (!parts.has_value()) return CannotListen(address, "it is not HOST:PORT");
  const addrinfo hints{.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const char* const host = parts->first.empty() ? nullptr : parts->first.c_str();
  const int error = getaddrinfo(host, parts->second.c_str(), &hints, &found);
  if (error != 0) return CannotListen(address, gai_strerror(error));
  return Addresses(found, &freeaddrinfo);
}

void SetOn(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof(on));
}

// The socket, or -1 with errno. An IPv6 address that stands for all takes IPv4's too, unless there are others.
int BindOne(const addrinfo& address, bool has_others) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  SetOn(fd, SOL_SOCKET, SO_REUSEADDR);
  if (address.ai_family == AF_INET6 && has_others) SetOn(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

uint16_t PortOf(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// The failure is this one caller's and not the socket's: it has gone before it was let in.
bool IsOfCaller(int error) {
  return error == ECONNABORTED || error == EPROTO || error == EPERM || error == ENETDOWN || error == EHOSTUNREACH ||
         error == ENETUNREACH || error == EHOSTDOWN || error == ENONET || error == ENOPROTOOPT || error == EINTR;
}

}  // namespace

Listener::~Listener() {
  CHECK(!thread_.joinable()) << "a listener is destroyed while it listens";
  for (const int socket : sockets_) close(socket);
  if (wake_ >= 0) close(wake_);
}

Status Listener::Bind(const std::string& address) {
  ASSIGN_OR_RETURN(const Addresses addresses, Resolve(address));
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return CannotListen(address, std::strerror(errno));
  std::string why;
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    const int fd = BindOne(*one, addresses->ai_next != nullptr);
    if (fd >= 0) {
      sockets_.push_back(fd);
      // With port 0 a second socket would get another port.
      if (address.ends_with(":0")) break;
      continue;
    }
    why = std::strerror(errno);
    // A name may stand for addresses of both kinds, of which this machine may have one.
    if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) return CannotListen(address, why);
  }
  if (sockets_.empty()) return CannotListen(address, why);
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(sockets_.front(), reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = PortOf(bound);
  return OkStatus();
}

void Listener::Open(Actions actions) {
  actions_ = std::move(actions);
  loop_.ExpectTag();
  bell_ = Bell::kExpected;
  thread_ = std::thread([this] { Main(); });
}

void Listener::Close() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  taken_.notify_one();
  const uint64_t one = 1;
  static_cast<void>(write(wake_, &one, sizeof(one)));
  if (thread_.joinable()) thread_.join();
}

// ---- On the thread ----

void Listener::Main() {
  std::vector<pollfd> waits{{.fd = wake_, .events = POLLIN, .revents = 0}};
  for (const int socket : sockets_) waits.push_back({.fd = socket, .events = POLLIN, .revents = 0});
  bool can_accept = true;
  do {
    // Close wakes it at once.
    poll(waits.data(), can_accept ? waits.size() : 1, can_accept ? -1 : kNapMs);
    can_accept = true;
    for (size_t i = 1; i < waits.size(); ++i) can_accept = Accept(waits[i].fd) && can_accept;
  } while (HandOver());
}

bool Listener::Accept(int socket) {
  const std::lock_guard lock(mutex_);
  while (callers_.size() < kAtOnce) {
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    const int fd = accept4(socket, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      SetOn(fd, IPPROTO_TCP, TCP_NODELAY);
      callers_.push_back({.fd = fd, .address = NameOf(from)});
    } else if (errno == EAGAIN) {
      return true;
    } else if (!IsOfCaller(errno)) {
      trouble_ = std::strerror(errno);
      return false;
    }
  }
  return true;
}

bool Listener::HandOver() {
  std::unique_lock lock(mutex_);
  if (callers_.empty() && trouble_.empty() && !is_closing_) return true;
  bell_ = Bell::kRung;
  alarm_.Set(loop_.queue(), gpr_now(GPR_CLOCK_MONOTONIC), loop_.ExpectedTag(*this));
  // If it closes, the loop does not take what there is before this thread has ended.
  taken_.wait(lock, [this] { return bell_ != Bell::kRung || is_closing_; });
  taken_.wait_for(lock, kPause, [this] { return is_closing_; });
  return bell_ == Bell::kExpected;
}

// ---- In the loop ----

void Listener::OnEvent(bool) {
  std::vector<Caller> callers;
  std::string trouble;
  {
    const std::lock_guard lock(mutex_);
    callers.swap(callers_);
    trouble.swap(trouble_);
    bell_ = is_closing_ ? Bell::kOver : Bell::kExpected;
    if (bell_ == Bell::kExpected) loop_.ExpectTag();
  }
  for (const Caller& caller : callers) actions_.on_caller(caller);
  if (!trouble.empty()) actions_.on_trouble(trouble);
  taken_.notify_one();
}

}  // namespace decree::rpc
