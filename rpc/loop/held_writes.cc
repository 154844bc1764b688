#include "rpc/loop/held_writes.h"

#include <dlfcn.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include <glog/logging.h>

#include "rpc/loop/paced_reads.h"

namespace decree::rpc {
namespace {

// Of a thread.
struct Held {
  bool is_holding = false;
  std::vector<int> files;  // that were written, each as often as it was
};
thread_local Held held;

using Sendmsg = ssize_t (*)(int, const msghdr*, int);
Sendmsg NextSendmsg() {
  static const auto next = reinterpret_cast<Sendmsg>(dlsym(RTLD_NEXT, "sendmsg"));
  return next;
}

// To set this, as gRPC has done already, sends what MSG_MORE has kept back (tcp(7); the kernel's
// __tcp_sock_set_nodelay). If the file was closed meanwhile, what was kept back has been sent, and its number may be
// any other file's: to all but TCP sockets this is an error, and gRPC sets it for all of those.
void SendAll(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

HoldWrites::HoldWrites() {
  CHECK(!held.is_holding);
  held.is_holding = true;
}

HoldWrites::~HoldWrites() { held.is_holding = false; }

void PushHeldWrites() {
  std::sort(held.files.begin(), held.files.end());
  const auto end = std::unique(held.files.begin(), held.files.end());
  std::for_each(held.files.begin(), end, SendAll);
  held.files.clear();
}

ssize_t WriteOrHold(int fd, const msghdr* message, int flags) {
  if (!held.is_holding || !PacedReads::IsPaced(fd)) return NextSendmsg()(fd, message, flags);
  const ssize_t written = NextSendmsg()(fd, message, flags | MSG_MORE);
  if (written > 0) held.files.push_back(fd);
  return written;
}

}  // namespace decree::rpc

// Shared libraries that are linked to this program call this.
extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return decree::rpc::WriteOrHold(fd, message, flags);
}
