#include "rpc/peer/peer_link.h"

#include <algorithm>
#include <span>
#include <utility>

#include <glog/logging.h>

#include "rpc/peer/peer_frame.h"
#include "rpc/printable.h"

namespace decree::rpc {
namespace {

constexpr char kExchange[] = "/decree.v1.Peer/Exchange";

const char* NameOf(v1::StreamKind kind) {
  switch (kind) {
    case v1::STREAM_KIND_CONTROL:
      return "control";
    case v1::STREAM_KIND_BULK:
      return "bulk";
    default:
      return "forward";
  }
}

std::string NameOf(const PeerLink::Ends& ends) {
  return StrCat("n", ends.own.self.node.value(), " > n", ends.peer.id.value(), " ", NameOf(ends.kind));
}

// A peer that starts or ends fails so too. Anything else is for the operator to mend.
bool MayPass(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
      return true;
    default:
      return false;
  }
}

}  // namespace

PeerLink::PeerLink(EventLoop& loop, Ends ends, std::shared_ptr<grpc::Channel> channel, const PeerLinkOptions& options,
                   PeerLinkListener listener)
    : loop_(loop),
      ends_(std::move(ends)),
      options_(options),
      listener_(std::move(listener)),
      name_(NameOf(ends_)),
      is_logged_(ends_.kind != v1::STREAM_KIND_FORWARD || VLOG_IS_ON(1)),
      channel_(std::move(channel)),
      stub_(channel_),
      reopen_(options.reopen_min),
      reopen_timer_(loop.timers(), [this] { Start(); }),
      patience_timer_(loop.timers(), [this] { OnTooSlow(); }) {}

void PeerLink::Open(const paxos::Replica& replica) {
  CHECK(replica_ == nullptr);
  replica_ = &replica;
  lost_at_ = loop_.Now();
  Start();
}

bool PeerLink::Send(const grpc::Slice& element) {
  if (state_ != State::kOpen || unsent_bytes_ + element.size() > options_.queue_bytes_max) return false;
  unsent_bytes_ += element.size();
  gathered_.push_back(element);
  if (!is_writing_) Write();
  return true;
}

void PeerLink::Close() {
  is_closing_ = true;
  reopen_timer_.Cancel();
  if (context_ != nullptr) return context_->TryCancel();
  state_ = State::kClosed;
}

// ---- Opening ----

void PeerLink::Start() {
  state_ = State::kGreeting;
  context_ = std::make_unique<grpc::ClientContext>();
  stream_ = stub_.PrepareCall(context_.get(), kExchange, loop_.queue());
  patience_timer_.Set(loop_.Now() + options_.patience);
  stream_->StartCall(Tag(started_));
}

void PeerLink::OnStarted(bool ok) {
  --under_way_;
  if (!ok || state_ != State::kGreeting) return End();
  is_writing_ = true;
  stream_->Write(MakeFrame({{EncodeElement(MakeHello(ends_.own, ends_.peer.id, ends_.kind))}}), Tag(written_));
  stream_->Read(&reply_, Tag(read_));
}

void PeerLink::OnRead(bool ok) {
  --under_way_;
  if (ok && state_ == State::kGreeting) return OnHello();
  if (ok && state_ == State::kOpen && listener_.on_reply != nullptr) return OnReply();
  // A peer says nothing more on this stream, so it has ended, or breaks the protocol.
  if (ok) context_->TryCancel();
  End();
}

void PeerLink::OnHello() {
  const v1::PeerHello& hello = reply_.hello();
  const Status fits = hello.from() == ends_.peer.id.value()
                          ? CheckHello(hello, ends_.own, replica_->configuration())
                          : absl::FailedPreconditionError(StrCat("n", hello.from(), " answers at the address of n",
                                                                 ends_.peer.id.value(), ", ", ends_.peer.peer_address));
  if (!fits.ok()) {
    fault_ = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, std::string(fits.message()));
    context_->TryCancel();
    return End();
  }
  state_ = State::kOpen;
  reopen_ = options_.reopen_min;
  last_logged_.clear();
  has_warned_ = false;
  if (!is_writing_) patience_timer_.Cancel();
  stream_->Read(&reply_, Tag(read_));
  LOG_IF(INFO, is_logged_) << name_ << ": connected to " << ends_.peer.peer_address;
}

void PeerLink::OnReply() {
  listener_.on_reply(reply_);
  stream_->Read(&reply_, Tag(read_));
}

// ---- Sending ----

void PeerLink::Write() {
  size_t count = 0;
  size_t bytes = 0;
  while (count < gathered_.size() && (count == 0 || bytes + gathered_[count].size() <= options_.frame_bytes_max)) {
    bytes += gathered_[count++].size();
  }
  is_writing_ = true;
  const auto transfer_ms = static_cast<int64_t>(1000 * bytes / options_.slow_bytes_per_second);
  patience_timer_.Set(loop_.Now() + options_.patience + Milliseconds(transfer_ms));
  stream_->Write(MakeFrame(std::span(gathered_).first(count)), Tag(written_));
  gathered_.erase(gathered_.begin(), gathered_.begin() + static_cast<ptrdiff_t>(count));
  writing_bytes_ = bytes;
}

void PeerLink::OnWritten(bool ok) {
  --under_way_;
  is_writing_ = false;
  unsent_bytes_ -= std::exchange(writing_bytes_, 0);
  if (!ok) return End();
  if (state_ == State::kEnding) return End();
  if (state_ != State::kOpen) return;  // The hello has left; the patience is for its answer now.
  patience_timer_.Cancel();
  if (!gathered_.empty()) Write();
}

void PeerLink::OnTooSlow() {
  fault_ = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                        state_ == State::kOpen ? "a write took too long" : "no greeting came in time");
  context_->TryCancel();
}

// ---- Ending ----

void PeerLink::End() {
  if (state_ != State::kEnding) {
    const bool was_open = std::exchange(state_, State::kEnding) == State::kOpen;
    if (was_open) lost_at_ = loop_.Now();
    patience_timer_.Cancel();
    gathered_.clear();
    unsent_bytes_ = writing_bytes_;
    // After a failed write the read fails too, by itself and with the server's reason; only a call
    // that could not even start has none under way.
    if (was_open && listener_.on_broken != nullptr) listener_.on_broken();
  }
  if (under_way_ == 0) stream_->Finish(&status_, Tag(finished_));
}

void PeerLink::OnFinished(bool) {
  --under_way_;
  stream_.reset();
  context_.reset();
  if (is_closing_) {
    state_ = State::kClosed;
    return;
  }
  LogEnd(fault_.ok() ? status_ : std::exchange(fault_, grpc::Status()));
  state_ = State::kWaiting;
  reopen_timer_.Set(loop_.Now() + reopen_);
  reopen_ = std::min(2 * reopen_, options_.reopen_max);
}

void PeerLink::LogEnd(const grpc::Status& status) {
  const std::string why =
      status.error_message().empty() ? "the peer has closed it" : Printable(status.error_message(), kTextBytesMax);
  const bool warns = !MayPass(status) || loop_.Now() - lost_at_ >= options_.warn_after;
  // Attempts that fail in the same way are logged once, and once more if that lasts.
  if (why == last_logged_ && (has_warned_ || !warns)) return;
  last_logged_ = why;
  has_warned_ = has_warned_ || warns;
  if (!is_logged_) return;
  LOG_AT_LEVEL(warns ? google::GLOG_WARNING : google::GLOG_INFO)
      << name_ << ": no stream to " << ends_.peer.peer_address << ": " << why;
}

std::string PeerLink::Problem() const {
  if (is_open() || last_logged_.empty()) return {};
  return StrCat("no connection to n", ends_.peer.id.value(), " at ", ends_.peer.peer_address, ": ", last_logged_);
}

void* PeerLink::Tag(Event& event) {
  ++under_way_;
  return loop_.Tag(event);
}

}  // namespace decree::rpc
