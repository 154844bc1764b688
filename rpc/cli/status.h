#pragma once
// `decree status`: every node in one table.

#include <optional>

#include "paxos/base/time.h"
#include "rpc/cli/commands.h"
#include "rpc/client/client.h"

namespace decree::rpc::cli {

// Asks all endpoints at once; a node that does not answer has a row with the reason. Below the table stands what is
// wrong, in the nodes' eyes and with the cluster as a whole. With `watch` it asks again and again, with this pause
// between, until the program is ended. kDone if a node has answered.
int Status(Client& client, const Output& output, std::optional<Duration> watch);

}  // namespace decree::rpc::cli
