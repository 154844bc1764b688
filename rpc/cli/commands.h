#pragma once
// The commands of `decree`: each asks the cluster, prints what came of it, and returns the exit code.

#include <string>
#include <vector>

#include "paxos/base/status.h"
#include "rpc/client/client.h"

namespace decree::rpc::cli {

enum ExitCode { kDone = 0, kFailed = 1, kNoSuchKey = 3, kSwapRefused = 4 };

struct Output {
  bool json = false;
};

// A value given on the command line; "-" stands for all of standard input.
StatusOr<std::string> ReadValue(const std::string& argument);
// An error if standard input has ended because it could not be read.
decree::Status CheckStandardInput();

int Put(Client& client, const Output& output, const std::string& key, std::string value);
// Prints the value of one key, byte by byte, or a line for each of several, as `import` takes them (line_format.h).
int Get(Client& client, const Output& output, const std::vector<std::string>& keys, v1::ReadMode read);
int Delete(Client& client, const Output& output, const std::string& key);
int CompareAndSwap(Client& client, const Output& output, v1::CompareAndSwapRequest request);
// Tells what has become of a write that failed. With `settle` it makes sure that the write is not carried out any more.
int Outcome(Client& client, const Output& output, uint64_t session, uint64_t number, bool settle);
// Makes the leader hand over to `heir`; 0 stands for the most advanced of the others.
int TransferLeadership(Client& client, const Output& output, uint32_t heir);

// Tells on standard error what failed.
int Fail(const Output& output, const decree::Status& status);

}  // namespace decree::rpc::cli
