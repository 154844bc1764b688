#pragma once
// Two TCP sockets of this process that are connected.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

namespace decree::rpc {

struct TcpPair {
  int connected = -1;
  int accepted = -1;  // as gRPC makes it: it neither blocks nor delays
};

// For the caller to close.
inline TcpPair MakeTcpPair() {
  const int on = 1;
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(listening, any, size), 0);
  EXPECT_EQ(listen(listening, 1), 0);
  EXPECT_EQ(getsockname(listening, any, &size), 0);
  TcpPair pair;
  pair.connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(pair.connected, any, size), 0);
  pair.accepted = accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  EXPECT_EQ(setsockopt(pair.accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
  close(listening);
  return pair;
}

// As gRPC writes by a socket.
inline void WriteAll(int fd, std::string bytes) {
  iovec buffer{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  EXPECT_EQ(sendmsg(fd, &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

}  // namespace decree::rpc
