#include "rpc/loop/paced_reads.h"

#include <dlfcn.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/rare_case.h"
#include "rpc/loop/caller_address.h"

namespace decree::rpc {
namespace {

// What is read in one go may come to twice as much.
constexpr size_t kPieceBytes = 16 << 10;
// What is read of a socket first, and where so many calls came with what was read last. A call may have 9 bytes, and
// cost gRPC 70 us if it makes no sense.
constexpr size_t kFirstPieceBytes = 1 << 10;
constexpr uint32_t kManyCalls = 32;
// While others wait.
constexpr size_t kSmallPieceBytes = 4 << 10;
// How many buffers one call of recvmsg fills; gRPC passes 64 at most.
constexpr size_t kBuffersMax = 64;
// When a turn has taken so much of the thread's time, sockets that share turns wait for the next. What comes of the
// last one that was read may take as long again.
constexpr Duration kTurn = Milliseconds(20);
// gRPC may have its reasons not to read a socket; then others do not wait for it any longer.
constexpr Duration kWaitMax = Milliseconds(100);
// Numbers from here on are not paced. No process may have more files than that by default.
constexpr size_t kFilesMax = 1 << 20;

constinit std::atomic<uint64_t> read_count{0};
// Of each file, by its number; kNone where it is no socket of ours. Pages that are not used cost nothing.
constinit std::array<std::atomic<PacedReads::Pace>, kFilesMax> paces{};

std::atomic<PacedReads::Pace>& PaceOf(int fd) { return paces[static_cast<size_t>(fd)]; }

Duration Now() { return std::chrono::steady_clock::now().time_since_epoch(); }

// How long this thread has worked: time in which others ran or nothing did is not in it. A system call, unlike a look
// at the clock.
Duration ThreadTime() {
  timespec time{};
  CHECK_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

using Recvmsg = ssize_t (*)(int, msghdr*, int);
using Close = int (*)(int);

Recvmsg NextRecvmsg() {
  static const auto next = reinterpret_cast<Recvmsg>(dlsym(RTLD_NEXT, "recvmsg"));
  return next;
}
Close NextClose() {
  static const auto next = reinterpret_cast<Close>(dlsym(RTLD_NEXT, "close"));
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

// Whether what was read is fit for gRPC.
bool IsFit(int fd, FrameWatch& frames, const msghdr& message, ssize_t read) {
  auto left = static_cast<size_t>(std::max<ssize_t>(read, 0));
  for (size_t i = 0; left > 0; ++i) {
    const iovec& buffer = message.msg_iov[i];
    const size_t size = std::min(left, buffer.iov_len);
    const std::string_view fault = frames.Follow(fd, {static_cast<const char*>(buffer.iov_base), size});
    if (!fault.empty()) {
      LOG_EVERY_T(WARNING, 1) << "the connection from " << CallerOf(fd) << " is reset: " << fault;
      return false;
    }
    left -= size;
  }
  return true;
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

uint64_t PacedReads::CountReads() { return read_count.load(std::memory_order_relaxed); }

bool PacedReads::IsPaced(int fd) {
  return fd >= 0 && static_cast<size_t>(fd) < kFilesMax && PaceOf(fd).load(std::memory_order_relaxed) != Pace::kNone;
}

void PacedReads::Set(int fd, Pace pace, uint32_t client) {
  CHECK_GE(fd, 0);
  if (static_cast<size_t>(fd) >= kFilesMax) return;
  const std::lock_guard lock(mutex_);
  if (sockets_.size() <= static_cast<size_t>(fd)) sockets_.resize(static_cast<size_t>(fd) + 1);
  Socket& socket = SocketOf(fd);
  CHECK(!socket.is_waiting) << "it was closed, and the end of its wait was not seen";
  shares_turns_ = shares_turns_ || pace == Pace::kInTurns;
  socket = {.is_waiting = false, .bytes = 0, .piece = kFirstPieceBytes, .client = client, .frames = {}};
  PaceOf(fd).store(pace, std::memory_order_relaxed);
}

void PacedReads::SetPace(int fd, Pace pace) {
  const std::lock_guard lock(mutex_);
  if (!IsPaced(fd) || PaceOf(fd).load(std::memory_order_relaxed) == pace) return;
  if (SocketOf(fd).is_waiting) {
    EndWait(fd);
    TellAgain(fd);
  }
  PaceOf(fd).store(pace, std::memory_order_relaxed);
}

void PacedReads::Forget(int fd) {
  const std::lock_guard lock(mutex_);
  PaceOf(fd).store(Pace::kNone, std::memory_order_relaxed);
  if (!SocketOf(fd).is_waiting) return;
  EndWait(fd);
  if (!IsTurnOver()) CallFirst();
}

bool PacedReads::BeginTurn(bool may_read) {
  const std::lock_guard lock(mutex_);
  turn_began_.reset();
  loop_ = std::this_thread::get_id();
  may_read_ = may_read;
  if (may_read) CallFirst();
  return shares_turns_;
}

void PacedReads::EndTurn() {
  const std::lock_guard lock(mutex_);
  may_read_ = false;
}

ssize_t PacedReads::Read(int fd, msghdr* message, int flags) {
  const std::lock_guard lock(mutex_);
  Socket& socket = SocketOf(fd);
  if (PaceOf(fd).load(std::memory_order_relaxed) == Pace::kInTurns && !HasTurn(fd)) return WaitForTurn(fd);
  const size_t piece = std::min<size_t>(socket.piece, First() == kNobody ? kPieceBytes : kSmallPieceBytes);
  const uint32_t calls_before = socket.frames.calls();
  const ssize_t read = ReadPiece(fd, piece, *message, flags);
  if (!IsFit(fd, socket.frames, *message, read)) {
    if (socket.is_waiting) OnRead(fd, false);
    errno = ECONNRESET;
    return -1;
  }
  const bool has_many_calls = socket.frames.calls() - calls_before > kManyCalls;
  socket.piece = has_many_calls ? kFirstPieceBytes : std::min<uint32_t>(2 * socket.piece, kPieceBytes);
  // Without the kernel's word, gRPC reads on until there is nothing left.
  void* const told = read > 0 ? FindBytesLeft(*message) : nullptr;
  int left = 0;
  if (told != nullptr) std::memcpy(&left, told, sizeof(left));
  const bool has_more = left > 0;
  if (has_more) socket.bytes += static_cast<uint32_t>(read);
  // gRPC reads a small remainder at once, which costs less than to be told of it.
  if (has_more && socket.bytes < piece) return read;
  socket.bytes = 0;
  // While it waited the connection may have ended, which is told once. So gRPC is to look once more.
  left = !has_more && socket.is_waiting ? 1 : 0;
  if (told != nullptr) std::memcpy(told, &left, sizeof(left));
  if (socket.is_waiting) {
    OnRead(fd, has_more);
  } else if (has_more) {
    TellAgain(fd);
  }
  return read;
}

// ---- Turns ----

ssize_t PacedReads::WaitForTurn(int fd) {
  char byte = 0;
  const ssize_t found = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // gRPC wants it; it is the turn that is over.
  if (First() == fd) called_at_ = {};
  // That there is nothing, or nothing more will come, may be known at once; the kernel would not tell again.
  if (found <= 0) {
    const int error = errno;
    if (SocketOf(fd).is_waiting) EndWait(fd);
    errno = error;
    return found;
  }
  Await(fd);
  errno = EAGAIN;
  return -1;
}

bool PacedReads::HasTurn(int fd) { return (First() == fd || First() == kNobody) && !IsTurnOver(); }

bool PacedReads::IsTurnOver() {
  if (!may_read_) return true;
  const Duration now = Now();
  // gRPC may have a thread of its own help the loop.
  const bool is_loop = std::this_thread::get_id() == loop_;
  if (!turn_began_.has_value()) turn_began_ = {.wall = now, .work = std::nullopt};
  if (is_loop && !turn_began_->work.has_value()) turn_began_->work = ThreadTime();
  if (now - turn_began_->wall <= kTurn) return false;
  if (!is_loop) return true;
  // Much of that it may have waited for something to come.
  const Duration work = ThreadTime() - *turn_began_->work;
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

void PacedReads::OnRead(int fd, bool has_more) {
  CHECK_EQ(First(), fd);
  PopFirst();
  if (has_more) Await(fd);
  if (!IsTurnOver()) CallFirst();
}

void PacedReads::CallFirst() {
  if (First() == kNobody) return;
  const Duration now = Now();
  if (called_at_ != Duration::zero() && now > called_at_ + kWaitMax) PopFirst();
  if (First() == kNobody) return;
  if (called_at_ == Duration::zero()) called_at_ = now;
  TellAgain(First());
}

void PacedReads::PopFirst() {
  const uint32_t client = clients_.front();
  EndWait(First());
  if (waiting_.contains(client)) {
    clients_.pop_front();
    clients_.push_back(client);
  }
}

void PacedReads::EndWait(int fd) {
  Socket& socket = SocketOf(fd);
  socket.is_waiting = false;
  if (First() == fd) called_at_ = {};
  const auto others = waiting_.find(socket.client);
  std::erase(others->second, fd);
  if (!others->second.empty()) return;
  waiting_.erase(others);
  std::erase(clients_, socket.client);
}

}  // namespace decree::rpc

// Shared libraries that are linked to this program call these.
extern "C" {

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  using decree::rpc::PacedReads;
  decree::rpc::read_count.fetch_add(1, std::memory_order_relaxed);
  if (!PacedReads::IsPaced(fd) || (flags & MSG_ERRQUEUE) != 0) return decree::rpc::NextRecvmsg()(fd, message, flags);
  return PacedReads::Get().Read(fd, message, flags);
}

int close(int fd) {
  using decree::rpc::PacedReads;
  if (PacedReads::IsPaced(fd)) PacedReads::Get().Forget(fd);
  return decree::rpc::NextClose()(fd);
}

}  // extern "C"
