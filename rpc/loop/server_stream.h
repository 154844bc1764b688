#pragma once
// The life of a stream that a caller opens at our server: waited for, arrived, ended, gone. gRPC allows one read
// and one write at a time, and nothing but waiting after the end; the stream exists until all that was begun has
// come back. Here that is kept track of; what is read and written is the owner's business.

#include <memory>
#include <string>
#include <utility>

#include <glog/logging.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/status.h>

#include "rpc/loop/event_loop.h"

namespace decree::rpc {

// A ServerAsyncReaderWriter reads. A ServerAsyncWriter does not, and learns all the same that its caller is gone.
template <typename Wire>
struct StreamTraits;
template <typename Outgoing, typename Incoming>
struct StreamTraits<grpc::ServerAsyncReaderWriter<Outgoing, Incoming>> {
  using Sent = Outgoing;
  using Received = Incoming;
  static constexpr bool kReads = true;
};
template <typename Outgoing>
struct StreamTraits<grpc::ServerAsyncWriter<Outgoing>> {
  using Sent = Outgoing;
  static constexpr bool kReads = false;
};

// `Owner` holds the stream, is held by a shared_ptr, and has these:
//
//   void OnArrived()      a caller is there
//   void OnMessage()      `received()` holds what was read; only if it reads
//   void OnNoMore()       the caller says no more, or is gone
//   void OnWritten(ok)    the next may be written; not `ok`: the caller is gone
//   void OnGone()         the last of all, also for a stream that never arrived; then the owner is let go
//
// Between the end and OnGone none of the others is called.
template <typename Owner, typename Wire>
class ServerStream {
 public:
  using Traits = StreamTraits<Wire>;

  // `owner` is the one that holds this.
  ServerStream(EventLoop& loop, Owner& owner) : loop_(loop), owner_(owner), wire_(&context_) {}

  // Waits for a caller, and keeps the owner until it is gone. `request` asks gRPC for one, as the generated RequestXxx
  // do.
  template <typename Request>
  void Await(std::shared_ptr<Owner> owner, Request request) {
    keep_ = std::move(owner);
    if constexpr (!Traits::kReads) context_.AsyncNotifyWhenDone(static_cast<Event*>(&done_));
    auto* const queue = loop_.queue();
    request(&context_, &wire_, queue, queue, Tag(arrived_));
  }

  void Read() {
    CHECK(!is_ending_);
    wire_.Read(&received_, Tag(read_));
  }
  auto& received() { return received_; }
  const auto& received() const { return received_; }

  void Write(const typename Traits::Sent& message) {
    CHECK(!is_ending_ && !is_writing_);
    is_writing_ = true;
    wire_.Write(message, Tag(written_));
  }

  // Tells the caller how it ended.
  void End(const grpc::Status& status) {
    CHECK(!is_ending_);
    is_ending_ = true;
    wire_.Finish(status, Tag(finished_));
  }
  // Makes what is under way fail, so that OnNoMore follows.
  void Cancel() { context_.TryCancel(); }

  bool has_arrived() const { return has_arrived_; }
  bool is_writing() const { return is_writing_; }
  bool is_ending() const { return is_ending_; }
  std::string caller() const { return context_.peer(); }

 private:
  struct Nothing {};
  template <bool kReads, typename T>
  struct ReceivedOf {
    using Type = Nothing;
  };
  template <typename T>
  struct ReceivedOf<true, T> {
    using Type = typename T::Received;
  };

  void OnArrived(bool ok) {
    --under_way_;
    if (!ok) {  // The server is closing.
      is_ending_ = true;
      return GoIfDone();
    }
    has_arrived_ = true;
    // Only now: for a call that never arrives "done" does not come.
    if constexpr (!Traits::kReads) Tag(done_);
    owner_.OnArrived();
  }
  void OnRead(bool ok) {
    --under_way_;
    if (is_ending_) return GoIfDone();
    if constexpr (Traits::kReads) {
      if (ok) return owner_.OnMessage();
    }
    owner_.OnNoMore();
  }
  void OnWritten(bool ok) {
    --under_way_;
    is_writing_ = false;
    if (is_ending_) return GoIfDone();
    owner_.OnWritten(ok);
  }
  void OnDone(bool) { OnRead(false); }
  void OnFinished(bool) {
    --under_way_;
    GoIfDone();
  }

  void GoIfDone() {
    if (under_way_ > 0) return;
    const std::shared_ptr<Owner> keep = std::move(keep_);
    owner_.OnGone();
  }

  void* Tag(Event& event) {
    ++under_way_;
    return loop_.Tag(event);
  }

  EventLoop& loop_;
  Owner& owner_;
  std::shared_ptr<Owner> keep_;
  grpc::ServerContext context_;
  Wire wire_;
  typename ReceivedOf<Traits::kReads, Traits>::Type received_;

  bool has_arrived_ = false;
  bool is_writing_ = false;
  bool is_ending_ = false;
  int under_way_ = 0;

  MemberEvent<ServerStream, &ServerStream::OnArrived> arrived_{this};
  MemberEvent<ServerStream, &ServerStream::OnRead> read_{this};
  MemberEvent<ServerStream, &ServerStream::OnWritten> written_{this};
  MemberEvent<ServerStream, &ServerStream::OnDone> done_{this};
  MemberEvent<ServerStream, &ServerStream::OnFinished> finished_{this};
};

}  // namespace decree::rpc
