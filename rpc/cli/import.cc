#include "rpc/cli/import.h"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "rpc/cli/export_file.h"
#include "rpc/cli/line_format.h"
#include "rpc/cli/progress.h"

namespace decree::rpc::cli {
namespace {

constexpr size_t kInFlightMax = 256;

volatile std::sig_atomic_t was_interrupted = 0;

// The first signal lets what is on its way end; the next one ends the program.
void StopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { was_interrupted = 1; };
  action.sa_flags = SA_RESETHAND;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

decree::Status AtLine(uint64_t line, const decree::Status& status) {
  return {status.code(), StrCat("line ", line, ": ", status.message())};
}

// Requests on their way, and the lowest line that failed.
class Flight {
 public:
  // Waits for room. False once a request has failed.
  bool Enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ < kInFlightMax || !error_.ok(); });
    if (!error_.ok()) return false;
    ++in_flight_;
    return true;
  }
  void Leave(uint64_t line, const decree::Status& status) {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    if (status.ok()) {
      ++done_;
    } else if (error_.ok() || line < failed_line_) {
      failed_line_ = line;
      error_ = AtLine(line, status);
    }
    changed_.notify_all();
  }
  void WaitForAll() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ == 0; });
  }

  // ---- After that ----

  uint64_t done() const { return done_; }
  const decree::Status& error() const { return error_; }
  uint64_t failed_line() const { return failed_line_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t in_flight_ = 0;
  uint64_t done_ = 0;
  uint64_t failed_line_ = 0;
  decree::Status error_;
};

class Importer {
 public:
  Importer(Client& client, std::istream& in, const ImportRequest& request)
      : client_(client), in_(in), request_(request), progress_("lines", request.bytes_total) {}

  decree::Status Run() {
    decree::Status status = PutLines();
    flight_.WaitForAll();
    progress_.Update(line_, bytes_, true);
    next_line_ = line_;
    if (flight_.error().ok()) return status;
    next_line_ = std::min(next_line_, flight_.failed_line());
    return flight_.error();
  }

  uint64_t done() const { return flight_.done(); }
  // All lines before this one are in the store.
  uint64_t next_line() const { return next_line_; }

 private:
  // Ends at the first line that cannot be sent; `line_` is its number.
  decree::Status PutLines() {
    for (std::string text; ++line_, std::getline(in_, text);) {
      // Checked first: an interrupted read looks like the end of the file, or of the line.
      if (was_interrupted != 0) break;
      bytes_ += text.size() + 1;
      if (IsRemark(text)) {
        has_header_ = has_header_ || ParseHeaderLine(text).has_value();
        if (const auto keys = ParseEndLine(text); keys.has_value()) keys_at_end_ = keys;
        continue;
      }
      ++keys_;
      if (line_ < request_.from_line) continue;
      auto key_and_value = ParseLine(text);
      if (!key_and_value.ok()) return AtLine(line_, key_and_value.status());
      if (!flight_.Enter()) return OkStatus();
      StartPut(*std::move(key_and_value));
      progress_.Update(line_, bytes_, false);
    }
    if (was_interrupted != 0) return absl::CancelledError("interrupted");
    if (in_.bad() || !CheckStandardInput().ok()) {
      return absl::UnavailableError(StrCat("line ", line_, ": cannot be read"));
    }
    return CheckWhole();
  }

  void StartPut(std::pair<std::string, std::string> key_and_value) {
    v1::PutRequest request;
    request.set_key(std::move(key_and_value.first));
    request.set_value(std::move(key_and_value.second));
    client_.Put(std::move(request), [this, line = line_](const StatusOr<v1::PutResponse>& response) {
      flight_.Leave(line, response.status());
    });
  }

  // An export says how many keys it has, so that a file that was cut off is noticed.
  decree::Status CheckWhole() const {
    if (!has_header_ || keys_at_end_ == keys_) return OkStatus();
    return absl::DataLossError(keys_at_end_.has_value()
                                   ? StrCat("this export had ", *keys_at_end_, " keys, and the file has ", keys_)
                                   : StrCat("this export has no last line \"", EndLine(keys_), "\": it was cut off"));
  }

  Client& client_;
  std::istream& in_;
  const ImportRequest& request_;
  Progress progress_;
  Flight flight_;
  uint64_t line_ = 0;
  uint64_t bytes_ = 0;
  uint64_t keys_ = 0;
  bool has_header_ = false;
  std::optional<uint64_t> keys_at_end_;
  uint64_t next_line_ = 1;
};

}  // namespace

int Import(Client& client, const Output& output, std::istream& in, const ImportRequest& request) {
  StopOnSignals();
  Importer importer(client, in, request);
  if (const decree::Status status = importer.Run(); !status.ok()) {
    return Fail(output,
                decree::Status(status.code(), StrCat(status.message(), " (", importer.done(),
                                                     " keys were imported; to go on: decree import ", request.file,
                                                     " --from-line ", importer.next_line(), ")")));
  }
  if (output.json) {
    std::cout << nlohmann::json{{"imported", importer.done()}}.dump() << '\n';
  } else {
    std::cout << "imported " << importer.done() << " keys\n";
  }
  return kDone;
}

}  // namespace decree::rpc::cli
