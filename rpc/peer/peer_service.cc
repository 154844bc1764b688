#include "rpc/peer/peer_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include <glog/logging.h>

#include "rpc/failure.h"
#include "rpc/loop/answer_batches.h"
#include "rpc/peer/codec.h"
#include "rpc/printable.h"

namespace decree::rpc {
namespace {

// How long a caller may take to say who it is.
constexpr Duration kHelloPatience = Seconds(5);
constexpr size_t kHelloBytesMax = 64 << 10;
// The longest that a forwarded write may wait.
constexpr uint64_t kTimeLeftMaxUs = uint64_t{3600} * 1'000'000;

}  // namespace

// One stream of a peer, or of whoever claims to be one.
class PeerService::Stream final : public ServerCall::Handler, public std::enable_shared_from_this<Stream> {
 public:
  Stream(PeerService& owner, std::unique_ptr<ServerCall> call)
      : owner_(owner),
        call_(std::move(call)),
        hello_timer_(owner.loop_.timers(), [this] { call_->Cancel(); }),
        taker_(owner.answers_, [this] { return CutOff(); }) {}

  void Begin() {
    call_->Begin(shared_from_this());
    hello_timer_.Set(owner_.loop_.Now() + kHelloPatience);
    call_->Read();
  }
  void Cancel() { call_->Cancel(); }
  void ReadOn() {
    must_read_ = true;
    ReadIfRoom();
  }
  void Flush() {
    needs_flush_ = false;
    if (!call_->is_ending() && !call_->is_writing() && !unsent_.empty()) WriteAnswers();
  }

  Budget::Holder& taker() { return taker_; }

  // The answer to a forwarded write, `bytes` long on the wire, is to be filled in. Null if the stream has ended.
  v1::ForwardAnswer* AddAnswer(uint64_t number, size_t bytes) {
    if (call_->is_ending()) return nullptr;
    if (!std::exchange(needs_flush_, true)) owner_.to_flush_.push_back(shared_from_this());
    v1::ForwardAnswer* const answer = unsent_.ForNext(taker_.Charge(bytes)).mutable_answers()->add_answers();
    answer->set_number(number);
    return answer;
  }

  paxos::NodeId from() const { return from_; }
  v1::StreamKind kind() const { return kind_; }

 private:
  void OnMessage() override {
    const Status status = TakeFrame();
    if (status.ok()) return owner_.to_read_.push_back(shared_from_this());
    const std::string problem = Printable(std::string(status.message()), kTextBytesMax);
    LOG_IF(WARNING, owner_.problems_.Note(problem, owner_.loop_.Now()))
        << 'n' << owner_.own_.self.node << " ends a stream of " << call_->connection()->address() << ": " << problem;
    End(ToGrpc(status));
  }
  void OnHalfClosed() override { End(grpc::Status::OK); }
  void OnWritten() override {
    unsent_.OnLeft();
    if (!unsent_.empty()) WriteAnswers();
    ReadIfRoom();
  }
  void OnGone() override {
    unsent_.OnLeft();
    unsent_.Clear();
    taker_.Close();
    owner_.Remove(shared_from_this());
  }

  Status TakeFrame() {
    if (from_ == paxos::kNoNode && call_->received_bytes() > kHelloBytesMax) {
      return absl::InvalidArgumentError("the first frame is too large for a greeting");
    }
    if (!call_->TakeMessage(frame_)) return absl::InvalidArgumentError("what was sent is no decree.v1.PeerFrame");
    if (from_ == paxos::kNoNode) return TakeHello();
    return kind_ == v1::STREAM_KIND_FORWARD ? TakeForwards() : TakeBatch();
  }

  Status TakeHello() {
    hello_timer_.Cancel();
    if (!frame_.has_hello()) return absl::InvalidArgumentError("the first frame is no greeting");
    const v1::PeerHello& hello = frame_.hello();
    RETURN_IF_ERROR(owner_.LetIn(hello));
    from_ = paxos::NodeId(hello.from());
    incarnation_ = paxos::Incarnation(hello.incarnation());
    life_ = hello.life();
    kind_ = hello.kind();
    owner_.Register(*this);
    // Its connection is spared when others want theirs.
    call_->SetBusy(true);
    v1::PeerReply reply;
    *reply.mutable_hello() = MakeHello(owner_.own_, from_, kind_);
    call_->Write(reply);
    return OkStatus();
  }

  Status TakeBatch() {
    if (!frame_.has_batch()) return absl::InvalidArgumentError("a frame holds no batch");
    for (v1::PeerMessage& wire : *frame_.mutable_batch()->mutable_messages()) {
      if (wire.from_life() != life_) {
        return absl::InvalidArgumentError("a message is from another life than the greeting");
      }
      ASSIGN_OR_RETURN(paxos::Envelope envelope, FromWire(wire));
      envelope.from = from_;
      envelope.to = owner_.own_.self.node;
      envelope.from_incarnation = incarnation_;
      owner_.on_message_(envelope);
    }
    return OkStatus();
  }

  Status TakeForwards() {
    if (!frame_.has_forwards()) return absl::InvalidArgumentError("a frame holds no forwarded writes");
    for (v1::ForwardedWrite& write : *frame_.mutable_forwards()->mutable_writes()) {
      owner_.on_forward_(ForwardedCall(shared_from_this(), write));
    }
    return OkStatus();
  }

  void ReadIfRoom() {
    if (!must_read_ || call_->is_ending() || waits_for_room_) return;
    if (!taker_.HasRoom(Budget::Size::kSmall)) return WaitForRoom();
    must_read_ = false;
    call_->Read();
  }

  void WaitForRoom() {
    waits_for_room_ = true;
    taker_.Await(Budget::Size::kSmall, kTimeNever, [self = shared_from_this()](bool has_room) {
      self->waits_for_room_ = !has_room;
      if (has_room) self->ReadIfRoom();
    });
  }

  void WriteAnswers() {
    call_->Write(unsent_.front());
    unsent_.PopFront();
  }

  std::string CutOff() { return StrCat("n", from_.value(), " (", call_->connection()->CutOff(), ")"); }

  void End(const grpc::Status& status) {
    hello_timer_.Cancel();
    unsent_.Clear();
    call_->End(status);
    taker_.Close();
  }

  PeerService& owner_;
  const std::unique_ptr<ServerCall> call_;
  Timer hello_timer_;
  v1::PeerFrame frame_;
  paxos::NodeId from_;  // none until it has greeted
  paxos::Incarnation incarnation_;
  uint64_t life_ = 0;
  v1::StreamKind kind_ = v1::STREAM_KIND_UNSPECIFIED;

  Budget::Holder taker_;
  AnswerBatches<v1::PeerReply> unsent_;
  bool must_read_ = false;  // as soon as there is room for answers
  bool waits_for_room_ = false;
  bool needs_flush_ = false;
};

// ---- Forwarded writes ----

PeerService::ForwardedCall::ForwardedCall(std::shared_ptr<Stream> stream, v1::ForwardedWrite& write)
    : stream_(std::move(stream)),
      number_(write.number()),
      time_left_(std::chrono::microseconds(std::min(write.time_left_us(), kTimeLeftMaxUs))),
      command_(std::move(*write.mutable_command())) {}

Budget::Holder& PeerService::ForwardedCall::taker() const { return stream_->taker(); }

void PeerService::ForwardedCall::Answer(std::string result, std::optional<v1::KeyValue> previous) const {
  const size_t bytes = result.size() + (previous.has_value() ? previous->ByteSizeLong() : 0);
  v1::ForwardAnswer* const answer = stream_->AddAnswer(number_, bytes);
  if (answer == nullptr) return;
  answer->set_result(std::move(result));
  if (previous.has_value()) *answer->mutable_previous() = *std::move(previous);
}

void PeerService::ForwardedCall::Fail(const Failure& failure) const {
  v1::ForwardAnswer* const answer = stream_->AddAnswer(number_, failure.text.size());
  if (answer != nullptr) *answer->mutable_error() = failure.ToRequestError();
}

// ---- All streams ----

PeerService::~PeerService() = default;

void PeerService::Open(Methods& methods, const paxos::Replica& replica, OnMessage on_message, OnForward on_forward) {
  replica_ = &replica;
  on_message_ = std::move(on_message);
  on_forward_ = std::move(on_forward);
  methods.Add("/decree.v1.Peer/Exchange", [this](std::unique_ptr<ServerCall> call) { Receive(std::move(call)); });
}

void PeerService::Flush() {
  for (const std::shared_ptr<Stream>& stream : std::exchange(to_flush_, {})) stream->Flush();
}

void PeerService::ReadOn() {
  for (const std::shared_ptr<Stream>& stream : std::exchange(to_read_, {})) stream->ReadOn();
}

void PeerService::Receive(std::unique_ptr<ServerCall> call) {
  (*streams_.insert(std::make_shared<Stream>(*this, std::move(call))).first)->Begin();
}

Status PeerService::LetIn(const v1::PeerHello& hello) {
  RETURN_IF_ERROR(CheckHello(hello, own_, replica_->configuration()));
  if (lives_[paxos::NodeId(hello.from())].Greet(hello.life(), loop_.Now())) return OkStatus();
  return absl::FailedPreconditionError(
      StrCat("n", hello.from(), " runs twice: another process greets as n", hello.from(),
             " in turn with this one, from a copy of the same directory. Stop both: each has forgotten "
             "what the other has promised"));
}

void PeerService::Register(Stream& stream) {
  Stream*& current = current_[{stream.from(), stream.kind()}];
  if (current != nullptr) current->Cancel();
  current = &stream;
}

void PeerService::Remove(const std::shared_ptr<Stream>& stream) {
  const auto current = current_.find({stream->from(), stream->kind()});
  if (current != current_.end() && current->second == stream.get()) current_.erase(current);
  streams_.erase(stream);
}

}  // namespace decree::rpc
