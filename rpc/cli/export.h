#pragma once
// `decree export`: writes all keys, or those with a prefix, as they were at one revision, into a file that
// `decree import` takes.

#include <cstdint>
#include <string>

#include "rpc/cli/commands.h"
#include "rpc/client/client.h"

namespace decree::rpc::cli {

struct ExportRequest {
  std::string file;  // "-": standard output
  std::string prefix;
  uint64_t revision = 0;  // 0: the newest
  v1::ReadMode read = v1::READ_MODE_LINEARIZABLE;
};

// Writes FILE.part, which becomes FILE in the end. If an interrupted export has left that file, this one goes on with
// it, at its revision.
int Export(Client& client, const Output& output, const ExportRequest& request);

}  // namespace decree::rpc::cli
