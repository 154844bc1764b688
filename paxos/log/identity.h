#pragma once
// The owner of a log directory. Every file of the log names its owner, so that a file of another node, or of
// an earlier life of this one, is never taken for ours (rule 10).

#include <cstdint>
#include <string>
#include <string_view>

#include "paxos/base/status.h"
#include "paxos/core/protocol/membership.h"
#include "paxos/core/protocol/types.h"
#include "paxos/fs/file_system.h"

namespace decree::paxos {

// Written once, when the directory is formatted.
struct LogIdentity {
  std::string cluster;  // chosen by the operator, the same on all nodes
  NodeId node;
  Incarnation incarnation;
  Configuration founding;

  friend bool operator==(const LogIdentity&, const LogIdentity&) = default;
};

// A cluster's name must fit into the header of every segment.
inline constexpr size_t kClusterBytesMax = 128;

// What is wrong with it, in words for the operator.
Status ValidateIdentity(const LogIdentity& identity);

// Cluster, node and incarnation in bytes: what every file is marked with.
std::string EncodeOwner(const LogIdentity& identity);
// Refuses the file `where` unless it is marked with this owner.
Status CheckOwner(std::string_view owner, const LogIdentity& identity, const std::string& where);

// Contents of the identity file.
std::string EncodeIdentity(const LogIdentity& identity);
StatusOr<LogIdentity> DecodeIdentity(std::string_view bytes, const std::string& where);

}  // namespace decree::paxos
