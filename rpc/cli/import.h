#pragma once
// `decree import`: puts every line of a file, with many requests in flight.

#include <cstdint>
#include <istream>

#include "rpc/cli/commands.h"
#include "rpc/client/client.h"

namespace decree::rpc::cli {

struct ImportRequest {
  std::string file;          // for what is said; "-": standard input
  uint64_t bytes_total = 0;  // 0: not known
  uint64_t from_line = 1;
};

// Takes lines as in line_format.h, and checks what `export` writes around them. Stops at the first line that is wrong
// or whose put fails, or when the user interrupts it, and says from which line to go on: all before that are in the
// store.
int Import(Client& client, const Output& output, std::istream& in, const ImportRequest& request);

}  // namespace decree::rpc::cli
