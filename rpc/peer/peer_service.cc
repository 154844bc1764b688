#include "rpc/peer/peer_service.h"

#include <string>
#include <utility>

#include <glog/logging.h>

#include "rpc/failure.h"
#include "rpc/loop/server_stream.h"
#include "rpc/peer/codec.h"

namespace decree::rpc {
namespace {

// How long a caller may take to say who it is.
constexpr Duration kHelloPatience = Seconds(5);
// Streams at a time, greeted or not; a cluster has far fewer.
constexpr size_t kStreamsMax = 256;

}  // namespace

// One stream of a peer, or of whoever claims to be one.
class PeerService::Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(PeerService& owner)
      : owner_(owner),
        stream_(owner.loop_, *this),
        hello_timer_(owner.loop_.timers(), [this] { stream_.Cancel(); }) {}

  void Await() {
    stream_.Await(shared_from_this(), [this](auto... arguments) {
      owner_.service_.RequestExchange(arguments...);
    });
  }
  void Cancel() { stream_.Cancel(); }
  void Read() {
    if (!stream_.is_ending()) stream_.Read();
  }

  paxos::NodeId from() const { return from_; }
  bool is_bulk() const { return is_bulk_; }

 private:
  using Wire = ServerStream<Stream, grpc::ServerAsyncReaderWriter<v1::PeerHello, v1::PeerFrame>>;
  friend Wire;

  void OnArrived() {
    owner_.Post();
    if (owner_.streams_.size() > kStreamsMax) {
      return End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams"));
    }
    hello_timer_.Set(owner_.loop_.Now() + kHelloPatience);
    stream_.Read();
  }

  void OnMessage() {
    const Status status = from_ == paxos::kNoNode ? TakeHello() : TakeBatch();
    if (status.ok()) return owner_.to_read_.push_back(shared_from_this());
    LOG_IF(WARNING, owner_.problems_.Note(std::string(status.message()), owner_.loop_.Now()))
        << 'n' << owner_.own_.self.node << " ends a stream of " << stream_.caller() << ": "
        << status.message();
    End(ToGrpc(status));
  }

  void OnNoMore() { End(grpc::Status::OK); }
  void OnWritten(bool) {}  // What is read next tells if the peer is gone.
  void OnGone() { owner_.Remove(shared_from_this()); }

  Status TakeHello() {
    hello_timer_.Cancel();
    const v1::PeerFrame& frame = stream_.received();
    if (!frame.has_hello()) return absl::InvalidArgumentError("the first frame is no greeting");
    const v1::PeerHello& hello = frame.hello();
    RETURN_IF_ERROR(owner_.LetIn(hello));
    from_ = paxos::NodeId(hello.from());
    incarnation_ = paxos::Incarnation(hello.incarnation());
    life_ = hello.life();
    is_bulk_ = hello.bulk();
    owner_.Register(*this);
    stream_.Write(MakeHello(owner_.own_, from_, is_bulk_));
    return OkStatus();
  }

  Status TakeBatch() {
    v1::PeerFrame& frame = stream_.received();
    if (!frame.has_batch()) return absl::InvalidArgumentError("a frame holds no batch");
    for (v1::PeerMessage& wire : *frame.mutable_batch()->mutable_messages()) {
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

  void End(const grpc::Status& status) {
    hello_timer_.Cancel();
    stream_.End(status);
  }

  PeerService& owner_;
  Wire stream_;
  Timer hello_timer_;
  paxos::NodeId from_;  // none until it has greeted
  paxos::Incarnation incarnation_;
  uint64_t life_ = 0;
  bool is_bulk_ = false;
};

PeerService::PeerService(EventLoop& loop, const PeerIdentity& own) : loop_(loop), own_(own) {}

PeerService::~PeerService() = default;

void PeerService::Open(const paxos::Replica& replica, OnMessage on_message) {
  replica_ = &replica;
  on_message_ = std::move(on_message);
  Post();
}

void PeerService::AfterTurn() {
  for (const std::shared_ptr<Stream>& stream : std::exchange(to_read_, {})) stream->Read();
}

void PeerService::Post() {
  (*streams_.insert(std::make_shared<Stream>(*this)).first)->Await();
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

void PeerService::Remove(const std::shared_ptr<Stream>& stream) {
  const auto current = current_.find({stream->from(), stream->is_bulk()});
  if (current != current_.end() && current->second == stream.get()) current_.erase(current);
  streams_.erase(stream);
}

}  // namespace decree::rpc
