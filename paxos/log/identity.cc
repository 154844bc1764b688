#include "paxos/log/identity.h"

#include "paxos/base/byte_reader.h"
#include "paxos/log/block.h"

namespace decree::paxos {
namespace {

struct Owner {
  std::string cluster;
  NodeId node;
  Incarnation incarnation;
};

StatusOr<Owner> DecodeOwner(std::string_view bytes, const std::string& where) {
  ByteReader reader(bytes);
  Owner owner;
  owner.cluster = std::string(reader.String());
  owner.node = NodeId(reader.U32());
  owner.incarnation = Incarnation(reader.U64());
  if (!reader.AtEnd()) return DamagedError(where, "its owner cannot be read");
  return owner;
}

std::string Describe(const Owner& owner) {
  return StrCat("node ", owner.node.value(), " of cluster '", owner.cluster, "' (incarnation ",
                owner.incarnation.value(), ")");
}

}  // namespace

Status ValidateIdentity(const LogIdentity& identity) {
  if (identity.cluster.empty() || identity.cluster.size() > kClusterBytesMax) {
    return absl::InvalidArgumentError(
        StrCat("a cluster's name has 1 to ", kClusterBytesMax, " bytes, not ", identity.cluster.size()));
  }
  if (identity.node == kNoNode) return absl::InvalidArgumentError("a node's id must not be 0");
  if (identity.incarnation.IsZero()) {
    return absl::InvalidArgumentError("an incarnation must not be 0");
  }
  return identity.founding.Validate();
}

std::string EncodeOwner(const LogIdentity& identity) {
  std::string bytes;
  PutString(bytes, identity.cluster);
  PutU32(bytes, identity.node.value());
  PutU64(bytes, identity.incarnation.value());
  return bytes;
}

Status CheckOwner(std::string_view owner, const LogIdentity& identity, const std::string& where) {
  if (owner == EncodeOwner(identity)) return OkStatus();
  ASSIGN_OR_RETURN(const Owner found, DecodeOwner(owner, where));
  const Owner wanted{identity.cluster, identity.node, identity.incarnation};
  return absl::FailedPreconditionError(
      StrCat(where, " belongs to ", Describe(found), ", but the directory to ", Describe(wanted),
             "; files of two directories were mixed: put every file back where it came from"));
}

std::string EncodeIdentity(const LogIdentity& identity) {
  std::string body;
  PutString(body, EncodeOwner(identity));
  PutString(body, identity.founding.Encode());
  return EncodeBlock(BlockKind::kIdentity, body);
}

StatusOr<LogIdentity> DecodeIdentity(std::string_view bytes, const std::string& where) {
  ASSIGN_OR_RETURN(const std::string body, DecodeBlock(BlockKind::kIdentity, bytes, where));
  ByteReader reader(body);
  const std::string_view owner_bytes = reader.String();
  const std::string_view founding_bytes = reader.String();
  if (!reader.AtEnd()) return DamagedError(where, "its fields do not fit");
  ASSIGN_OR_RETURN(const Owner owner, DecodeOwner(owner_bytes, where));
  ASSIGN_OR_RETURN(Configuration founding, Configuration::Decode(founding_bytes));
  return LogIdentity{
      .cluster = owner.cluster, .node = owner.node, .incarnation = owner.incarnation, .founding = std::move(founding)};
}

}  // namespace decree::paxos
