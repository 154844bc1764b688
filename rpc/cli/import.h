#pragma once
// `decree import`: puts every line of a file, with many requests in flight.

#include <istream>

#include "rpc/cli/commands.h"
#include "rpc/client.h"

namespace decree::rpc::cli {

// Lines are KEY<TAB>VALUE; the value is the rest of the line. Stops at the first line that is none, or
// whose put fails, and says which. A progress bar on a terminal; `bytes_total` 0: not known.
int Import(Client& client, const Output& output, std::istream& in, uint64_t bytes_total);

}  // namespace decree::rpc::cli
