#include "paxos/core/protocol/membership.h"

#include <algorithm>

#include "paxos/base/byte_reader.h"

namespace decree::paxos {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint32_t kMembersMax = 64;
constexpr uint32_t kPpm = 1'000'000;

Status ValidateMember(const Member& member) {
  if (member.id == kNoNode) return absl::InvalidArgumentError("a member has the id 0");
  if (member.peer_address.empty() || member.client_address.empty()) {
    return absl::InvalidArgumentError(StrCat("member ", member.id.value(), " needs a peer and a client address"));
  }
  return OkStatus();
}

}  // namespace

Status Configuration::Validate() const {
  if (members.empty() || members.size() > kMembersMax) {
    return absl::InvalidArgumentError(
        StrCat("a configuration has 1 to ", kMembersMax, " members, not ", members.size()));
  }
  for (size_t i = 0; i < members.size(); ++i) {
    RETURN_IF_ERROR(ValidateMember(members[i]));
    if (i > 0 && members[i].id <= members[i - 1].id) {
      return absl::InvalidArgumentError(StrCat("member ", members[i].id.value(), " is repeated or out of order"));
    }
  }
  const uint32_t voters = VoterCount();
  if (voters == 0) return absl::InvalidArgumentError("a configuration needs a voter");
  if (q1 == 0 || q2 == 0 || q1 > voters || q2 > voters) {
    return absl::InvalidArgumentError(
        StrCat("quorums q1=", q1, " and q2=", q2, " must be 1 to ", voters, ", the number of voters"));
  }
  if (q1 + q2 <= voters) {
    return absl::InvalidArgumentError(StrCat("quorums q1=", q1, " and q2=", q2, " need not meet among ", voters,
                                             " voters; their sum must be above that"));
  }
  if (lease < Duration::zero() || lease > Seconds(60)) {
    return absl::InvalidArgumentError(
        StrCat("the lease is ", ToMilliseconds(lease), " ms; it must be 0 (off) to 60000"));
  }
  if (drift_ppm >= kPpm / 2) {
    return absl::InvalidArgumentError(StrCat("the drift margin is ", drift_ppm, " ppm; it must be below ", kPpm / 2));
  }
  return OkStatus();
}

uint32_t Configuration::VoterCount() const {
  return static_cast<uint32_t>(
      std::count_if(members.begin(), members.end(), [](const Member& member) { return member.voter; }));
}

bool Configuration::IsVoter(NodeId node) const {
  const Member* const member = Find(node);
  return member != nullptr && member->voter;
}

const Member* Configuration::Find(NodeId node) const {
  const auto found = std::lower_bound(members.begin(), members.end(), node,
                                      [](const Member& member, NodeId wanted) { return member.id < wanted; });
  return found != members.end() && found->id == node ? &*found : nullptr;
}

Roster Configuration::KnownIncarnations() const {
  Roster known;
  for (const Member& member : members) {
    if (!member.incarnation.IsZero()) known.emplace(member.id, member.incarnation);
  }
  return known;
}

void Configuration::NoteIncarnations(const Roster& roster) {
  for (Member& member : members) {
    const auto found = roster.find(member.id);
    if (found != roster.end()) member.incarnation = found->second;
  }
}

Duration Configuration::HeldLease() const {
  return lease - Duration(lease.count() / kPpm * drift_ppm + lease.count() % kPpm * drift_ppm / kPpm);
}

std::string Configuration::Encode() const {
  std::string out;
  PutU8(out, kFormat);
  PutU32(out, q1);
  PutU32(out, q2);
  PutU64(out, static_cast<uint64_t>(lease.count()));
  PutU32(out, drift_ppm);
  PutU32(out, static_cast<uint32_t>(members.size()));
  for (const Member& member : members) {
    PutU32(out, member.id.value());
    PutU64(out, member.incarnation.value());
    PutU8(out, member.voter ? 1 : 0);
    PutString(out, member.peer_address);
    PutString(out, member.client_address);
  }
  return out;
}

StatusOr<Configuration> Configuration::Decode(std::string_view payload) {
  ByteReader reader(payload);
  const uint8_t format = reader.U8();
  if (!reader.ok() || format != kFormat) {
    return absl::InvalidArgumentError(
        StrCat("a configuration record has format ", format, "; this program knows ", kFormat));
  }
  Configuration configuration;
  configuration.q1 = reader.U32();
  configuration.q2 = reader.U32();
  configuration.lease = Duration(static_cast<int64_t>(reader.U64()));
  configuration.drift_ppm = reader.U32();
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    Member member;
    member.id = NodeId(reader.U32());
    member.incarnation = Incarnation(reader.U64());
    member.voter = reader.U8() != 0;
    member.peer_address = reader.String();
    member.client_address = reader.String();
    configuration.members.push_back(std::move(member));
  }
  if (!reader.AtEnd()) {
    return absl::InvalidArgumentError("a configuration record is cut short or too long");
  }
  RETURN_IF_ERROR(configuration.Validate());
  return configuration;
}

uint32_t MajorityOf(uint32_t voters) { return voters / 2 + 1; }

std::ostream& operator<<(std::ostream& out, const Configuration& configuration) {
  out << "members=";
  for (const Member& member : configuration.members) out << member.id << (member.voter ? " " : "? ");
  return out << "q1=" << configuration.q1 << " q2=" << configuration.q2;
}

}  // namespace decree::paxos
