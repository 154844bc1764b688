// A member of the cluster that has lost its mind: it sends two honest ones whatever the codec lets pass, with
// numbers at the edges, and bytes flipped on the way. Nothing that it says may end a process, or use up what has to
// last; once it is silent the two go on, unless they believe what it said to be chosen, and that forbids it.

#include <array>
#include <vector>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "paxos/base/random.h"
#include "rpc/peer/codec.h"
#include "tests/support/replica_cluster.h"

namespace decree {
namespace {

using namespace paxos;  // NOLINT: a test of nothing else

constexpr uint32_t kHostile = 3;
constexpr int kMessages = 600;

class HostilePeer {
 public:
  HostilePeer(check::ReplicaCluster& cluster, uint64_t seed) : cluster_(cluster), random_(seed) {}

  // What arrives at `to`, if the codec lets it pass.
  std::optional<Envelope> Next(uint32_t to) {
    to_ = to;
    Envelope envelope = From(kHostile, to, Draw());
    envelope.from_life = Life(random_.Chance(0.9) ? kHostile : random_.Next() | 1);
    if (random_.Chance(0.5)) envelope.to_life = replica().self().life;
    // The entry is as it would come from the wire.
    std::string bytes = rpc::ToWire(envelope).SerializeAsString();
    if (random_.Chance(0.1)) bytes[random_.Below(bytes.size())] = static_cast<char>(random_.Next());
    v1::PeerMessage wire;
    if (!wire.ParseFromString(bytes)) return std::nullopt;
    StatusOr<Envelope> decoded = rpc::FromWire(wire);
    if (!decoded.ok()) return std::nullopt;
    decoded->from = envelope.from;
    decoded->to = envelope.to;
    decoded->from_incarnation = envelope.from_incarnation;
    return *std::move(decoded);
  }

 private:
  Replica& replica() { return cluster_.replica(to_); }

  // Near what is in use, at an edge, or anything.
  uint64_t Number(uint64_t near) {
    constexpr std::array<uint64_t, 10> kEdges = {0,
                                                 1,
                                                 2,
                                                 65'536,
                                                 uint64_t{1} << 32,
                                                 (uint64_t{1} << 32) + 1,
                                                 uint64_t{1} << 55,
                                                 (uint64_t{1} << 62) - 1,
                                                 uint64_t{1} << 62,
                                                 ~uint64_t{0}};
    if (random_.Chance(0.7)) return near + random_.Below(4) - std::min<uint64_t>(near, 1);
    if (random_.Chance(0.7)) return kEdges[random_.Below(kEdges.size())] + random_.Below(2) * near;
    return random_.Next() >> random_.Below(64);
  }
  Ballot AnyBallot() {
    const uint32_t node = random_.Chance(0.8) ? kHostile : static_cast<uint32_t>(random_.Below(5));
    return {.round = Number(replica().promised().round), .node = NodeId(node)};
  }
  Slot AnySlot() { return Slot(Number(replica().chosen_index().value())); }
  Duration AnyDuration() { return Duration(static_cast<int64_t>(Number(400'000'000) >> 1)); }
  EntryPtr AnyEntry() {
    Entry entry{.kind = static_cast<EntryKind>(random_.Below(5)),
                .proposer = AnyBallot(),
                .log_time = LogTime(Number(1)),
                .payload = {}};
    if (entry.kind == EntryKind::kCommands) AppendCommand(entry.payload, std::string(random_.Below(200), 'c'));
    if (entry.kind == EntryKind::kConfiguration && random_.Chance(0.9)) {
      Configuration configuration = Voters(3);
      if (random_.Chance(0.3)) configuration.members[random_.Below(3)].incarnation = Incarnation(9);
      entry.payload = configuration.Encode();
    }
    if (random_.Chance(0.05)) entry.payload += 'x';
    return std::make_shared<const Entry>(std::move(entry));
  }
  std::vector<SlotEntry> AnyEntries() {
    std::vector<SlotEntry> entries;
    Slot slot = AnySlot();
    for (uint64_t count = random_.Below(4); count > 0; --count) {
      entries.push_back({.slot = slot, .entry = AnyEntry()});
      slot = random_.Chance(0.8) ? slot.Next() : AnySlot();
    }
    return entries;
  }
  std::vector<Vote> AnyVotes() {
    std::vector<Vote> votes;
    for (const SlotEntry& item : AnyEntries()) {
      votes.push_back({.slot = item.slot, .ballot = AnyBallot(), .chosen = random_.Chance(0.2), .entry = item.entry});
    }
    return votes;
  }
  EntryPart AnyPart() {
    return {.slot = AnySlot(), .piece = AnyEntry(), .first_byte = Number(0), .payload_bytes = Number(100)};
  }
  VotePart AnyVotePart() { return {.ballot = AnyBallot(), .chosen = random_.Chance(0.2), .entry = AnyPart()}; }
  Message AnyFetchAnswer() {
    FetchAnswer answer{.stream = Number(1),
                       .fetch = Number(1),
                       .sent = Number(0),
                       .chosen_index = AnySlot(),
                       .trim_point = AnySlot(),
                       .entries = AnyEntries(),
                       .part = {}};
    if (random_.Chance(0.3)) {
      answer.entries.clear();
      answer.part = AnyPart();
    }
    return answer;
  }

  Message Draw() {
    switch (random_.Below(15)) {
      case 0:
        return Poll{.poll = Number(1), .ballot = AnyBallot(), .chosen_index = AnySlot()};
      case 1:
        return PollAnswer{.poll = Number(1),
                          .granted = random_.Chance(0.5),
                          .promised = AnyBallot(),
                          .trim_point = AnySlot(),
                          .chosen_index = AnySlot(),
                          .lease_left = AnyDuration()};
      case 2:
        return Prepare{.ballot = AnyBallot(),
                       .position = {AnySlot(), Number(0)},
                       .waived = random_.Chance(0.5) ? Ballot() : AnyBallot(),
                       .page_bytes = Number(1)};
      case 3:
        return Promise{.ballot = random_.Chance(0.8) ? replica().ballot() : AnyBallot(),
                       .position = {AnySlot(), Number(0)},
                       .last_slot = random_.Chance(0.5) ? Slot::Max() : AnySlot(),
                       .trim_point = AnySlot(),
                       .chosen_index = AnySlot(),
                       .votes = random_.Chance(0.7) ? AnyVotes() : std::vector<Vote>(),
                       .part = random_.Chance(0.7) ? std::nullopt : std::optional(AnyVotePart())};
      case 4:
        return Accept{.ballot = AnyBallot(),
                      .chosen_index = AnySlot(),
                      .entries = AnyEntries(),
                      .asked = {AnySlot(), AnySlot()},
                      .inquiry = Number(0)};
      case 5:
        return Accepted{.ballot = random_.Chance(0.8) ? replica().ballot() : AnyBallot(),
                        .chosen_index = AnySlot(),
                        .slots = {AnySlot(), AnySlot()},
                        .inquiry = Number(0)};
      case 6:
        return Nack{.ballot = random_.Chance(0.5) ? replica().ballot() : AnyBallot(), .promised = AnyBallot()};
      case 7:
        return Heartbeat{.ballot = AnyBallot(), .probe = Number(1), .chosen_index = AnySlot()};
      case 8:
        return HeartbeatAck{.ballot = random_.Chance(0.8) ? replica().ballot() : AnyBallot(),
                            .probe = Number(1),
                            .chosen_index = AnySlot(),
                            .refuses_for = AnyDuration()};
      case 9:
        return Waiver{.ballot = AnyBallot()};
      case 10:
        return StandNow{.ballot = AnyBallot()};
      case 11:
        return Fetch{.stream = Number(1),
                     .number = Number(1),
                     .position = {.slot = AnySlot(), .byte = Number(0)},
                     .last_slot = AnySlot(),
                     .received = Number(0),
                     .credit = Number(10'000)};
      case 12:
        return AnyFetchAnswer();
      case 13:
        return ReadIndexRequest{.request = Number(1)};
      default:
        return ReadIndexAnswer{
            .request = Number(1), .served = random_.Chance(0.7), .index = AnySlot(), .ballot = AnyBallot()};
    }
  }

  check::ReplicaCluster& cluster_;
  Random random_;
  uint32_t to_ = 1;
};

// It has not been told by a leader, or a source, that a rule was broken or that the members are others.
bool IsWell(const Replica& replica) {
  return replica.takes_part() && replica.configuration().KnownIncarnations() == Voters(3).KnownIncarnations();
}

class PeerFuzzTest : public testing::TestWithParam<uint64_t> {};

TEST_P(PeerFuzzTest, NothingThatAPeerSaysEndsAProcessOrUsesUpNumbers) {
  FLAGS_minloglevel = google::FATAL;
  for (uint64_t seed = GetParam() * 1000; seed < GetParam() * 1000 + 40; ++seed) {
    SCOPED_TRACE(seed);
    Options options;
    options.window_slots_max = 64;
    check::ReplicaCluster cluster(3, Voters(3), options);
    Random random(seed);
    cluster.ElectAny();
    cluster.Crash(kHostile);
    HostilePeer peer(cluster, seed);
    for (int i = 0; i < kMessages; ++i) {
      const auto to = static_cast<uint32_t>(1 + random.Below(2));
      if (const std::optional<Envelope> envelope = peer.Next(to)) cluster.Inject(to, *envelope);
      if (random.Chance(0.3)) cluster.DeliverAll();
      if (random.Chance(0.1)) cluster.Pass(Milliseconds(random.Chance(0.1) ? 1000 : 20));
      if (random.Chance(0.1)) cluster.Propose(to, "c" + std::to_string(i));
      if (random.Chance(0.05)) cluster.Read(to, seed * kMessages + static_cast<uint64_t>(i));
      // One that is told of other members would refuse to start.
      if (random.Chance(0.01) && IsWell(cluster.replica(to))) {
        cluster.Crash(to);
        cluster.Restart(to);
      }
    }
    for (const uint32_t node : {1, 2}) {
      EXPECT_LT(cluster.replica(node).promised().round, uint64_t{kMessages + 1000} << 32) << "n" << node;
    }
    const bool is_led = cluster.ElectAny(Seconds(60)) != 0;
    EXPECT_TRUE(is_led || !IsWell(cluster.replica(1)) || !IsWell(cluster.replica(2))) << "nobody leads any more";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PeerFuzzTest, testing::Range<uint64_t>(1, 6));

}  // namespace
}  // namespace decree
