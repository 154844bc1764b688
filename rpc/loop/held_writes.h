#pragma once
// Lets the unary answers of a turn that go to one caller leave together.
//
// gRPC 1.51 sends each message by itself as soon as it is written, and to send is the dearest part of a small answer:
// through TCP and, on the way, to the reader, who is woken each time. So the `sendmsg` that gRPC calls is ours. While
// writes are held it passes MSG_MORE (send(2)): the kernel takes the bytes, and sends no more than full segments of
// them until it is told to, or something is written that is not held. A pipeline makes its own batches, and is not
// held: its client has more to do meanwhile.
//
// Only by sockets that PacedReads knows, which are those of callers.

#include <sys/socket.h>
#include <sys/types.h>

namespace decree::rpc {

// While it lives, what its own thread writes is held; afterwards it is until PushHeldWrites is called, which must be
// soon, and before anything that takes long. One at a time in a thread.
class HoldWrites {
 public:
  HoldWrites();
  HoldWrites(const HoldWrites&) = delete;
  HoldWrites& operator=(const HoldWrites&) = delete;
  ~HoldWrites();
};

// Sends what this thread has written and is held.
void PushHeldWrites();

// What sendmsg does.
ssize_t WriteOrHold(int fd, const msghdr* message, int flags);

}  // namespace decree::rpc
