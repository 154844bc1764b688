// What another node sends: greetings, forwarded writes, and messages of the protocol, which go to two honest replicas.
// Nothing in them ends a process or breaks a rule, and what is understood means the same when it is sent on.

#include <optional>
#include <string>

#include <glog/logging.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "decree/v1/peer.pb.h"
#include "kv/command.h"
#include "rpc/kv/commands.h"
#include "rpc/loop/request_bytes.h"
#include "rpc/peer/codec.h"
#include "rpc/peer/peer_hello.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/replica_cluster.h"

namespace decree::fuzz {
namespace {

using namespace paxos;  // NOLINT: a test of nothing else

constexpr int kFieldsMax = 10'000;
constexpr uint32_t kHostile = 3;
constexpr size_t kMessagesMax = 100;

std::optional<v1::PeerFrame> Parse(std::string_view bytes) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  if (!rpc::HasFieldsWithin(kFieldsMax, *v1::PeerFrame::descriptor(), stream)) return std::nullopt;
  v1::PeerFrame frame;
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return frame;
}

void TakeHello(const v1::PeerHello& hello) {
  const rpc::PeerIdentity own{.cluster = "test", .self = Self(1), .founding = 7};
  static_cast<void>(rpc::CheckHello(hello, own, Voters(3)));
}

void TakeForwards(const v1::ForwardBatch& batch) {
  for (const v1::ForwardedWrite& write : batch.writes()) {
    const std::optional<v1::Command> command = kv::ParseCommand(write.command());
    if (command.has_value() && rpc::Check(*command).ok()) CHECK(kv::IsWellFormed(*command));
  }
}

// Frames as long as there are any, each to one of two nodes of a cluster whose third has lost its mind.
class HostilePeer {
 public:
  explicit HostilePeer(Input& input) : input_(input), cluster_(3, Voters(3), SmallOptions()) {
    cluster_.ElectAny();
    cluster_.Crash(kHostile);
  }

  void Send() {
    while (!input_.empty() && sent_ < kMessagesMax) SendFrame();
  }

 private:
  static Options SmallOptions() {
    Options options;
    options.window_slots_max = 64;
    return options;
  }

  void SendFrame() {
    const uint8_t how = input_.Byte();
    const uint32_t to = 1 + how % 2;
    std::optional<v1::PeerFrame> frame = Parse(input_.NextPiece());
    if (!frame.has_value()) return;
    for (v1::PeerMessage& wire : *frame->mutable_batch()->mutable_messages()) SendMessage(wire, to);
    if ((how & 0x10) != 0) cluster_.DeliverAll();
    if ((how & 0x20) != 0) cluster_.Pass(Milliseconds((how & 0x40) != 0 ? 1000 : 20));
    if ((how & 0x80) != 0) cluster_.Propose(to, StrCat("c", sent_));
  }

  void SendMessage(v1::PeerMessage& wire, uint32_t to) {
    ++sent_;
    StatusOr<Envelope> envelope = rpc::FromWire(wire);
    if (!envelope.ok()) return;
    v1::PeerMessage sent_on = rpc::ToWire(*envelope);
    const std::string bytes = sent_on.SerializeAsString();
    const StatusOr<Envelope> again = rpc::FromWire(sent_on);
    CHECK(again.ok()) << again.status();
    CHECK(rpc::ToWire(*again).SerializeAsString() == bytes);
    envelope->from = NodeId(kHostile);
    envelope->to = NodeId(to);
    envelope->from_incarnation = Self(kHostile).incarnation;
    cluster_.Inject(to, *envelope);
  }

  Input& input_;
  check::ReplicaCluster cluster_;
  size_t sent_ = 0;
};

}  // namespace

void Run(std::string_view bytes) {
  Input input(bytes);
  if (input.Byte() % 4 != 0) return HostilePeer(input).Send();
  const std::optional<v1::PeerFrame> frame = Parse(input.rest());
  if (!frame.has_value()) return;
  TakeHello(frame->hello());
  TakeForwards(frame->forwards());
}

}  // namespace decree::fuzz
