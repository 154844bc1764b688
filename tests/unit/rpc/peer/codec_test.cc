#include "rpc/peer/codec.h"

#include <set>
#include <sstream>

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "paxos/base/random.h"
#include "tests/support/core_fixture.h"

namespace decree::rpc {
namespace {

using paxos::B;
using paxos::Message;
using paxos::Slot;
using testing::HasSubstr;

const paxos::EntryPtr kPut = paxos::Value("put-a", B(3, 2));
const paxos::EntryPtr kNoOp = std::make_shared<const paxos::Entry>(
    paxos::Entry{.kind = paxos::EntryKind::kNoOp, .proposer = B(4, 1), .log_time = {}});
const paxos::EntryPtr kChange =
    std::make_shared<const paxos::Entry>(paxos::Entry{.kind = paxos::EntryKind::kConfiguration,
                                                      .proposer = B(4, 1),
                                                      .log_time = paxos::LogTime(77),
                                                      .payload = paxos::Voters(3).Encode()});

// One of each kind, with every field set; a Promise with a part of a vote, too.
std::vector<Message> MessagesOfBallots() {
  return {
      paxos::Introduction{.known = {{paxos::NodeId(2), paxos::Incarnation(7)}}, .has_begun = true},
      paxos::Poll{.poll = 1, .ballot = B(5, 2), .chosen_index = Slot(9)},
      paxos::PollAnswer{.poll = 1,
                        .granted = true,
                        .promised = B(4, 1),
                        .trim_point = Slot(2),
                        .chosen_index = Slot(8),
                        .lease_left = Milliseconds(120)},
      paxos::Prepare{.ballot = B(5, 2), .position = {Slot(10), 7}, .waived = B(4, 1), .page_bytes = 9000},
      paxos::Promise{.ballot = B(5, 2),
                     .position = {Slot(10)},
                     .last_slot = Slot::Max(),
                     .trim_point = Slot(2),
                     .chosen_index = Slot(9),
                     .votes = {{.slot = Slot(10), .ballot = B(4, 1), .entry = kPut},
                               {.slot = Slot(12), .chosen = true, .entry = kNoOp}}},
      paxos::Accept{.ballot = B(5, 2),
                    .chosen_index = Slot(9),
                    .entries = {{Slot(10), kPut}, {Slot(11), kNoOp}, {Slot(12), kChange}},
                    .asked = {Slot(13), Slot(14)},
                    .inquiry = 3},
      paxos::Accepted{.ballot = B(5, 2), .chosen_index = Slot(9), .slots = {Slot(10), Slot(11)}, .inquiry = 3},
      paxos::Nack{.ballot = B(5, 2), .promised = B(6, 3)},
      paxos::Heartbeat{.ballot = B(5, 2), .probe = 7, .chosen_index = Slot(11)},
      paxos::HeartbeatAck{.ballot = B(5, 2), .probe = 7, .chosen_index = Slot(10), .refuses_for = Milliseconds(120)},
      paxos::Waiver{.ballot = B(5, 2)},
      paxos::StandNow{.ballot = B(5, 2)},
      paxos::Promise{.ballot = B(5, 2),
                     .position = {Slot(9), 5},
                     .last_slot = Slot(10),
                     .trim_point = Slot(2),
                     .chosen_index = Slot(9),
                     .votes = {},
                     .part = {{.ballot = B(4, 1),
                               .chosen = true,
                               .entry = {.slot = Slot(10),
                                         .piece = kPut,
                                         .first_byte = 0,
                                         .payload_bytes = kPut->payload.size() + 5}}}},
  };
}

std::vector<Message> MessagesOfReadsAndCatchUp() {
  return {
      paxos::Fetch{.stream = 4,
                   .number = 17,
                   .position = {.slot = Slot(3), .byte = 6},
                   .last_slot = Slot(9),
                   .received = 100,
                   .credit = 200},
      paxos::FetchAnswer{.stream = 4,
                         .fetch = 17,
                         .sent = 100,
                         .chosen_index = Slot(11),
                         .trim_point = Slot(2),
                         .entries = {{Slot(3), kPut}},
                         .part = {}},
      paxos::FetchAnswer{
          .stream = 4,
          .fetch = 18,
          .sent = 300,
          .chosen_index = Slot(11),
          .trim_point = Slot(2),
          .entries = {},
          .part = {{.slot = Slot(4), .piece = kPut, .first_byte = 5, .payload_bytes = kPut->payload.size() + 5}}},
      paxos::ReadIndexRequest{.request = 4},
      paxos::ReadIndexAnswer{.request = 4, .served = true, .index = Slot(11), .ballot = B(5, 2)},
  };
}

std::vector<Message> AllMessages() {
  std::vector<Message> messages = MessagesOfBallots();
  for (Message& message : MessagesOfReadsAndCatchUp()) messages.push_back(std::move(message));
  return messages;
}

v1::PeerMessage Wire(const Message& message) {
  paxos::Envelope envelope = paxos::From(2, 1, message);
  envelope.to_life = paxos::Life(9);
  return ToWire(envelope);
}

template <typename Kind>
Message Any() {
  for (const Message& message : AllMessages()) {
    if (std::holds_alternative<Kind>(message)) return message;
  }
  LOG(FATAL) << "none of this kind";
}

std::string Described(const Message& message) {
  std::ostringstream out;
  out << message;
  return out.str();
}

TEST(CodecTest, EveryMessageComesBackAsItWas) {
  std::set<size_t> kinds;
  for (const Message& message : AllMessages()) kinds.insert(message.index());
  ASSERT_EQ(kinds.size(), std::variant_size_v<Message>);
  for (const Message& message : AllMessages()) {
    SCOPED_TRACE(paxos::MessageName(message));
    const std::string bytes = Wire(message).SerializeAsString();
    v1::PeerMessage wire;
    ASSERT_TRUE(wire.ParseFromString(bytes));
    const StatusOr<paxos::Envelope> decoded = FromWire(wire);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->message.index(), message.index());
    EXPECT_EQ(decoded->from_life, paxos::Life(2));
    EXPECT_EQ(decoded->to_life, paxos::Life(9));
    EXPECT_EQ(ToWire(*decoded).SerializeAsString(), bytes);
    EXPECT_EQ(Described(decoded->message), Described(message)) << "a field does not travel";
  }
}

TEST(CodecTest, WhatNoCorrectPeerSendsIsRefusedWithTheField) {
  const auto refused = [](const Message& message, auto spoil) {
    v1::PeerMessage wire = Wire(message);
    spoil(wire);
    const auto decoded = FromWire(wire);
    EXPECT_TRUE(absl::IsInvalidArgument(decoded.status())) << decoded.status();
    return decoded.status().ToString();
  };
  EXPECT_THAT(refused(Any<paxos::Introduction>(), [](auto& w) { w.mutable_introduction()->add_known()->set_node(3); }),
              HasSubstr("one is 0"));
  EXPECT_THAT(refused(Any<paxos::Introduction>(),
                      [](auto& w) { *w.mutable_introduction()->add_known() = w.introduction().known(0); }),
              HasSubstr("twice"));
  EXPECT_THAT(refused(Any<paxos::Prepare>(), [](auto& w) { w.mutable_prepare()->clear_ballot(); }),
              HasSubstr("ballot"));
  EXPECT_THAT(refused(Any<paxos::Prepare>(), [](auto& w) { w.mutable_prepare()->set_first_slot(~0ull); }),
              HasSubstr("first_slot"));
  EXPECT_THAT(refused(Any<paxos::Accept>(), [](auto& w) { w.mutable_accept()->mutable_entries(1)->set_slot(10); }),
              HasSubstr("do not ascend"));
  EXPECT_THAT(refused(Any<paxos::Accept>(),
                      [](auto& w) { w.mutable_accept()->mutable_entries(0)->mutable_entry()->set_payload("x"); }),
              HasSubstr("not a batch"));
  EXPECT_THAT(refused(Any<paxos::Accept>(),
                      [](auto& w) { w.mutable_accept()->mutable_entries(0)->mutable_entry()->set_kind(9); }),
              HasSubstr("kind is unknown"));
  EXPECT_THAT(refused(Any<paxos::Accept>(), [](auto& w) { w.mutable_accept()->set_asked(1, 13); }),
              HasSubstr("asked: the slots do not ascend"));
  EXPECT_THAT(refused(Any<paxos::Promise>(), [](auto& w) { w.mutable_promise()->set_last_slot(5); }),
              HasSubstr("last_slot"));
  EXPECT_THAT(refused(Any<paxos::Fetch>(), [](auto& w) { w.mutable_fetch()->set_credit(1); }), HasSubstr("credit"));
  EXPECT_THAT(refused(Any<paxos::Fetch>(), [](auto& w) { w.mutable_fetch()->set_received(~0ull); }),
              HasSubstr("received"));
  const Message part = MessagesOfReadsAndCatchUp()[2];
  EXPECT_THAT(refused(part, [](auto& w) { w.mutable_fetch_answer()->mutable_part()->set_first_byte(6); }),
              HasSubstr("beyond the payload"));
  EXPECT_THAT(refused(part, [](auto& w) { w.mutable_fetch_answer()->mutable_part()->set_first_byte(~0ull); }),
              HasSubstr("beyond the payload"));
  EXPECT_THAT(
      refused(part, [](auto& w) { w.mutable_fetch_answer()->mutable_part()->mutable_piece()->clear_payload(); }),
      HasSubstr("part.piece"));
  EXPECT_THAT(refused(part,
                      [](auto& w) {
                        *w.mutable_fetch_answer()->add_entries() =
                            Wire(Any<paxos::FetchAnswer>()).fetch_answer().entries(0);
                      }),
              HasSubstr("beside it"));
  EXPECT_THAT(refused(Any<paxos::Heartbeat>(), [](auto& w) { w.set_group(1); }), HasSubstr("group"));
  EXPECT_THAT(refused(Any<paxos::Heartbeat>(), [](auto& w) { w.set_from_life(0); }), HasSubstr("from_life"));
  EXPECT_THAT(refused(Any<paxos::Heartbeat>(), [](auto& w) { w.clear_message(); }), HasSubstr("message"));
}

TEST(CodecTest, AnyBytesAreRefusedOrDecoded) {
  Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    const std::vector<Message> all = AllMessages();
    std::string bytes = Wire(all[random.Below(all.size())]).SerializeAsString();
    for (uint64_t flips = random.Between(1, 3); flips > 0; --flips) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
    }
    v1::PeerMessage wire;
    if (!wire.ParseFromString(bytes)) continue;
    static_cast<void>(FromWire(wire));
  }
}

}  // namespace
}  // namespace decree::rpc
