#include "rpc/loop/paced_reads.h"

#include <dlfcn.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/rare_case.h"

namespace decree::rpc {
namespace {

// What is read in one go may come to twice as much. As many calls as fit in here cost some 10 ms and 20 MiB.
constexpr size_t kPieceBytes = 16 << 10;
// While others wait.
constexpr size_t kSmallPieceBytes = 4 << 10;
// How many buffers one call of recvmsg fills; gRPC passes 64 at most.
constexpr size_t kBuffersMax = 64;
// When a turn has taken so much of the thread's time, sockets that share turns wait for the next. What comes of the
// last one that was read may take as long again.
constexpr Duration kTurn = Milliseconds(20);
// Who has had so many turns and was not read is gone, and is not waited for.
constexpr int kTurnsMax = 3;
// Numbers from here on are not paced. No process may have more files than that by default.
constexpr size_t kFilesMax = 1 << 20;

// What is known of the socket that has this number; of any other file, nothing.
struct Socket {
  std::atomic<PacedReads::Pace> pace;
  bool is_waiting;  // to be read
  uint32_t bytes;   // that were read in one go so far
  uint32_t client;  // whose it is
};
constinit std::array<Socket, kFilesMax> sockets{};  // pages that are not used cost nothing

Socket& SocketOf(int fd) { return sockets[static_cast<size_t>(fd)]; }

Duration TimeOf(clockid_t clock) {
  timespec time{};
  CHECK_EQ(clock_gettime(clock, &time), 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

using Recvmsg = ssize_t (*)(int, msghdr*, int);

Recvmsg NextRecvmsg() {
  static const auto next = reinterpret_cast<Recvmsg>(dlsym(RTLD_NEXT, "recvmsg"));
  return next;
}

// The buffers of `message`, as far as they have room for so many bytes.
size_t TakeBuffers(const msghdr& message, size_t bytes, std::array<iovec, kBuffersMax>& buffers) {
  size_t count = 0;
  for (; bytes > 0 && count < std::min(message.msg_iovlen, kBuffersMax); ++count) {
    buffers[count] = message.msg_iov[count];
    buffers[count].iov_len = std::min(buffers[count].iov_len, bytes);
    bytes -= buffers[count].iov_len;
  }
  return count;
}

ssize_t ReadPiece(int fd, size_t bytes_max, msghdr& message, int flags) {
  std::array<iovec, kBuffersMax> buffers;
  msghdr piece = message;
  piece.msg_iov = buffers.data();
  piece.msg_iovlen = TakeBuffers(message, bytes_max, buffers);
  const ssize_t read = NextRecvmsg()(fd, &piece, flags);
  piece.msg_iov = message.msg_iov;
  piece.msg_iovlen = message.msg_iovlen;
  message = piece;
  return read;
}

// Where the kernel tells how many bytes are left to be read; null if it does not.
void* FindBytesLeft(msghdr& message) {
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level == IPPROTO_TCP && one->cmsg_type == TCP_CM_INQ) return CMSG_DATA(one);
  }
  return nullptr;
}

// Has the kernel tell epoll at once if there is something to read: to set this does (tcp(7); the kernel's
// tcp_set_rcvlowat).
void TellAgain(int fd) {
  const int least = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

}  // namespace

PacedReads& PacedReads::Get() {
  static PacedReads& reads = *new PacedReads;
  return reads;
}

bool PacedReads::IsPaced(int fd) {
  return fd >= 0 && static_cast<size_t>(fd) < kFilesMax &&
         SocketOf(fd).pace.load(std::memory_order_relaxed) != Pace::kNone;
}

void PacedReads::Set(int fd, Pace pace, uint32_t client) {
  CHECK_GE(fd, 0);
  if (static_cast<size_t>(fd) >= kFilesMax) return;
  const std::lock_guard lock(mutex_);
  shares_turns_ = shares_turns_ || pace == Pace::kInTurns;
  Socket& socket = SocketOf(fd);
  if (socket.is_waiting) Forget(fd);
  socket.bytes = 0;
  socket.client = client;
  socket.pace.store(pace, std::memory_order_relaxed);
}

bool PacedReads::BeginTurn() {
  const std::lock_guard lock(mutex_);
  turn_began_.reset();
  if (First() != kNobody && ++turns_of_first_ > kTurnsMax) {
    RARE_CASE("a socket that waited to be read was gone");
    PopFirst();
  }
  if (First() != kNobody) TellAgain(First());
  return shares_turns_;
}

ssize_t PacedReads::Read(int fd, msghdr* message, int flags) {
  const std::lock_guard lock(mutex_);
  Socket& socket = SocketOf(fd);
  if (socket.pace.load(std::memory_order_relaxed) == Pace::kInTurns && !HasTurn(fd)) {
    Await(fd);
    errno = EAGAIN;
    return -1;
  }
  const size_t piece = First() == kNobody ? kPieceBytes : kSmallPieceBytes;
  const ssize_t read = ReadPiece(fd, piece, *message, flags);
  // Without the kernel's word, gRPC reads on until there is nothing left.
  void* const told = read > 0 ? FindBytesLeft(*message) : nullptr;
  int left = 0;
  if (told != nullptr) std::memcpy(&left, told, sizeof(left));
  const bool has_more = left > 0;
  if (has_more) socket.bytes += static_cast<uint32_t>(read);
  // gRPC reads a small remainder at once, which costs less than to be told of it.
  if (has_more && socket.bytes < piece) return read;
  socket.bytes = 0;
  if (has_more) {
    left = 0;
    std::memcpy(told, &left, sizeof(left));
  }
  if (socket.is_waiting) {
    EndWait(fd, has_more);
  } else if (has_more) {
    TellAgain(fd);
  }
  return read;
}

// ---- Turns ----

bool PacedReads::HasTurn(int fd) {
  const bool is_first = First() == fd;
  if (is_first) turns_of_first_ = 0;
  return (is_first || First() == kNobody) && !IsTurnOver();
}

bool PacedReads::IsTurnOver() {
  const Duration now = TimeOf(CLOCK_MONOTONIC);
  if (!turn_began_.has_value()) turn_began_ = {.wall = now, .work = TimeOf(CLOCK_THREAD_CPUTIME_ID)};
  if (now - turn_began_->wall <= kTurn) return false;
  // Much of that it may have waited for something to come. This clock is a system call, the other is none.
  const Duration work = TimeOf(CLOCK_THREAD_CPUTIME_ID) - turn_began_->work;
  if (work > kTurn) return true;
  turn_began_->wall = now - work;
  return false;
}

void PacedReads::Await(int fd) {
  Socket& socket = SocketOf(fd);
  if (std::exchange(socket.is_waiting, true)) return;
  RARE_CASE("a socket waited to be read");
  std::deque<int>& others = waiting_[socket.client];
  if (others.empty()) clients_.push_back(socket.client);
  others.push_back(fd);
}

void PacedReads::EndWait(int fd, bool has_more) {
  CHECK_EQ(First(), fd);
  PopFirst();
  if (has_more) Await(fd);
  if (First() != kNobody && !IsTurnOver()) TellAgain(First());
}

void PacedReads::PopFirst() {
  const uint32_t client = clients_.front();
  Forget(First());
  if (waiting_.contains(client)) {
    clients_.pop_front();
    clients_.push_back(client);
  }
  turns_of_first_ = 0;
}

void PacedReads::Forget(int fd) {
  Socket& socket = SocketOf(fd);
  socket.is_waiting = false;
  const auto others = waiting_.find(socket.client);
  std::erase(others->second, fd);
  if (!others->second.empty()) return;
  waiting_.erase(others);
  std::erase(clients_, socket.client);
}

}  // namespace decree::rpc

// Shared libraries that are linked to this program call this one.
extern "C" ssize_t recvmsg(int fd, msghdr* message, int flags) {
  using decree::rpc::PacedReads;
  if (!PacedReads::IsPaced(fd) || (flags & MSG_ERRQUEUE) != 0) return decree::rpc::NextRecvmsg()(fd, message, flags);
  return PacedReads::Get().Read(fd, message, flags);
}
