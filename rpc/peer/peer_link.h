#pragma once
// One outgoing stream to a peer: opens it, greets, keeps it open, sends what gathers, and hands on what the peer
// replies.
//
//   waiting ──timer──► greeting ──peer's hello──► open ──any failure──► ending ──► waiting
//
// At most one write is under way; the messages that come meanwhile make the next frame. While the
// stream is not open, or more has gathered than the bound, messages are dropped: the core repeats
// what matters. A write or a greeting that takes too long ends the stream, so that a connection whose
// other end has silently gone is given up.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include "decree/v1/peer.grpc.pb.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/replica.h"
#include "rpc/loop/event_loop.h"
#include "rpc/peer/peer_hello.h"

namespace decree::rpc {

struct PeerLinkOptions {
  // The pause between attempts, doubled from the first to the last. It is well below an election timeout.
  Duration reopen_min = Milliseconds(50);
  Duration reopen_max = Milliseconds(250);
  // How long the greeting may take, and how long a write may beside the time for its bytes.
  Duration patience = Milliseconds(1000);
  uint64_t slow_bytes_per_second = 256 << 10;
  // How much may wait to be sent, with what is being written; and how much of it one write takes.
  size_t queue_bytes_max = 16 << 20;
  size_t frame_bytes_max = 4 << 20;
  // A stream that is gone for longer is warned of; a restart takes less.
  Duration warn_after = Seconds(10);
};

// What is called in the loop. Without a listener nothing may come back.
struct PeerLinkListener {
  std::function<void(v1::PeerReply&)> on_reply = {};
  // A stream that was open has ended; what was sent may have arrived.
  std::function<void()> on_broken = {};
};

class PeerLink {
 public:
  // What the peer is told, and what is checked about it. It outlives the link.
  struct Ends {
    const PeerIdentity& own;
    const paxos::Member peer;
    const v1::StreamKind kind;
  };

  // `replica` is asked for the configuration when the peer has greeted; it may be null before the
  // node has started.
  PeerLink(EventLoop& loop, Ends ends, std::shared_ptr<grpc::Channel> channel, const PeerLinkOptions& options,
           PeerLinkListener listener = {});

  void Open(const paxos::Replica& replica);
  // Sends the element. It is dropped, and the result false, if the stream is not open or too much has gathered.
  bool Send(const grpc::Slice& element);
  // Gives up the stream for good; its last events come later.
  void Close();

  bool is_open() const { return state_ == State::kOpen; }
  // Why it is not open, in words for the operator; empty if it is, or has not been tried yet.
  std::string Problem() const;

 private:
  enum class State { kWaiting, kGreeting, kOpen, kEnding, kClosed };
  using Stream = grpc::ClientAsyncReaderWriter<grpc::ByteBuffer, v1::PeerReply>;

  void Start();
  void OnStarted(bool ok);
  void OnWritten(bool ok);
  void OnRead(bool ok);
  void OnFinished(bool ok);
  void OnTooSlow();

  void OnHello();
  void OnReply();
  void Write();
  // Something failed: lets the operations under way come back, then takes the status.
  void End();
  void LogEnd(const grpc::Status& status);
  void* Tag(Event& event);

  EventLoop& loop_;
  const Ends ends_;
  const PeerLinkOptions options_;
  const PeerLinkListener listener_;
  const std::string name_;  // for logs
  const bool is_logged_;    // not for forwarded writes: the other streams tell what keeps them all from the peer
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::PeerReply> stub_;
  const paxos::Replica* replica_ = nullptr;

  State state_ = State::kWaiting;
  bool is_closing_ = false;
  bool is_writing_ = false;
  int under_way_ = 0;  // operations of this stream that have not come back
  Duration reopen_;
  Timer reopen_timer_;
  Timer patience_timer_;

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
  v1::PeerReply reply_;  // the peer's latest
  grpc::Status status_;
  grpc::Status fault_;  // what was wrong with it in our own eyes

  std::vector<grpc::Slice> gathered_;
  size_t writing_bytes_ = 0;
  size_t unsent_bytes_ = 0;  // of both
  Time lost_at_;             // since when it is not open
  std::string last_logged_;
  bool has_warned_ = false;

  MemberEvent<PeerLink, &PeerLink::OnStarted> started_{this};
  MemberEvent<PeerLink, &PeerLink::OnWritten> written_{this};
  MemberEvent<PeerLink, &PeerLink::OnRead> read_{this};
  MemberEvent<PeerLink, &PeerLink::OnFinished> finished_{this};
};

}  // namespace decree::rpc
