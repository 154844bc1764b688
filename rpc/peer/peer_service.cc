#include "rpc/peer/peer_service.h"

#include <string>
#include <utility>

#include <glog/logging.h>

#include "rpc/failure.h"
#include "rpc/peer/codec.h"

namespace decree::rpc {
namespace {

// How long a caller may take to say who it is.
constexpr Duration kHelloPatience = Seconds(5);
// Streams at a time, greeted or not; a cluster has far fewer.
constexpr size_t kStreamsMax = 256;

}  // namespace

// One stream, from the time it is waited for until its last event has come back.
class PeerService::Stream {
 public:
  explicit Stream(PeerService& owner)
      : owner_(owner),
        stream_(&context_),
        hello_timer_(owner.loop_.timers(), [this] { context_.TryCancel(); }) {}

  void Post() {
    auto* const queue = owner_.loop_.queue();
    owner_.service_.RequestExchange(&context_, &stream_, queue, queue, Tag(arrived_));
  }
  void Cancel() { context_.TryCancel(); }
  void Read() {
    --under_way_;
    if (is_ending_) return RemoveIfDone();
    stream_.Read(&frame_, Tag(read_));
  }

  paxos::NodeId from() const { return from_; }
  bool is_bulk() const { return is_bulk_; }
  std::list<std::unique_ptr<Stream>>::iterator position;

 private:
  void OnArrived(bool ok) {
    --under_way_;
    if (!ok) return owner_.Remove(*this);  // The server is closing.
    owner_.Post();
    if (owner_.streams_.size() > kStreamsMax) {
      return End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams"));
    }
    hello_timer_.Set(owner_.loop_.Now() + kHelloPatience);
    stream_.Read(&frame_, Tag(read_));
  }

  void OnRead(bool ok) {
    --under_way_;
    if (is_ending_) return RemoveIfDone();
    if (!ok) return End(grpc::Status::OK);  // The peer has closed it, or is gone.
    const Status status = from_ == paxos::kNoNode ? TakeHello() : TakeBatch();
    if (!status.ok()) {
      LOG_IF(WARNING, owner_.problems_.Note(std::string(status.message()), owner_.loop_.Now()))
          << 'n' << owner_.own_.self.node << " ends a stream of " << context_.peer() << ": "
          << status.message();
      return End(ToGrpc(status));
    }
    owner_.to_read_.push_back(this);
    ++under_way_;
  }

  Status TakeHello() {
    hello_timer_.Cancel();
    if (!frame_.has_hello()) return absl::InvalidArgumentError("the first frame is no greeting");
    const v1::PeerHello& hello = frame_.hello();
    RETURN_IF_ERROR(owner_.LetIn(hello));
    from_ = paxos::NodeId(hello.from());
    incarnation_ = paxos::Incarnation(hello.incarnation());
    life_ = hello.life();
    is_bulk_ = hello.bulk();
    owner_.Register(*this);
    stream_.Write(MakeHello(owner_.own_, from_, is_bulk_), Tag(written_));
    return OkStatus();
  }

  Status TakeBatch() {
    if (!frame_.has_batch()) return absl::InvalidArgumentError("a frame holds no batch");
    for (v1::PeerMessage& wire : *frame_.mutable_batch()->mutable_messages()) {
      if (wire.from_life() != life_) {
        return absl::InvalidArgumentError("a message is from another life than the greeting");
      }
      ASSIGN_OR_RETURN(paxos::Envelope envelope, FromProto(wire));
      envelope.from = from_;
      envelope.to = owner_.own_.self.node;
      envelope.from_incarnation = incarnation_;
      owner_.on_message_(envelope);
    }
    return OkStatus();
  }

  void OnWritten(bool) {
    --under_way_;
    if (is_ending_) RemoveIfDone();
  }

  void End(const grpc::Status& status) {
    is_ending_ = true;
    hello_timer_.Cancel();
    stream_.Finish(status, Tag(finished_));
  }

  void OnFinished(bool) {
    --under_way_;
    RemoveIfDone();
  }

  void RemoveIfDone() {
    if (under_way_ == 0) owner_.Remove(*this);
  }

  void* Tag(Event& event) {
    ++under_way_;
    return owner_.loop_.Tag(event);
  }

  PeerService& owner_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::PeerHello, v1::PeerFrame> stream_;
  Timer hello_timer_;
  v1::PeerFrame frame_;
  paxos::NodeId from_;  // none until it has greeted
  paxos::Incarnation incarnation_;
  uint64_t life_ = 0;
  bool is_bulk_ = false;
  bool is_ending_ = false;
  int under_way_ = 0;

  MemberEvent<Stream, &Stream::OnArrived> arrived_{this};
  MemberEvent<Stream, &Stream::OnRead> read_{this};
  MemberEvent<Stream, &Stream::OnWritten> written_{this};
  MemberEvent<Stream, &Stream::OnFinished> finished_{this};
};

PeerService::PeerService(EventLoop& loop, const PeerIdentity& own) : loop_(loop), own_(own) {}

PeerService::~PeerService() = default;

void PeerService::Open(const paxos::Replica& replica, OnMessage on_message) {
  replica_ = &replica;
  on_message_ = std::move(on_message);
  Post();
}

void PeerService::AfterTurn() {
  for (Stream* const stream : std::exchange(to_read_, {})) stream->Read();
}

void PeerService::Post() {
  const auto stream = streams_.insert(streams_.end(), std::make_unique<Stream>(*this));
  (*stream)->position = stream;
  (*stream)->Post();
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
  Stream*& current = current_[{stream.from(), stream.is_bulk()}];
  if (current != nullptr) current->Cancel();
  current = &stream;
}

void PeerService::Remove(Stream& stream) {
  const auto current = current_.find({stream.from(), stream.is_bulk()});
  if (current != current_.end() && current->second == &stream) current_.erase(current);
  streams_.erase(stream.position);
}

}  // namespace decree::rpc
