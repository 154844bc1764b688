#include "rpc/cli/import.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>

#include <nlohmann/json.hpp>

namespace decree::rpc::cli {
namespace {

constexpr size_t kInFlightMax = 256;
constexpr size_t kBarWidth = 40;

// A line on the terminal that is drawn again a few times a second.
class Progress {
 public:
  explicit Progress(uint64_t bytes_total)
      : bytes_total_(bytes_total), is_shown_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (is_shown_ && was_drawn_) std::fprintf(stderr, "\n");
  }

  void Update(uint64_t lines, uint64_t bytes, bool is_last) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_shown_ || (!is_last && now - drawn_at_ < std::chrono::milliseconds(100))) return;
    drawn_at_ = now;
    was_drawn_ = true;
    if (bytes_total_ == 0) {
      std::fprintf(stderr, "\r%llu lines", static_cast<unsigned long long>(lines));
    } else {
      const size_t full = std::min<uint64_t>(kBarWidth, kBarWidth * bytes / bytes_total_);
      std::fprintf(stderr, "\r[%s%s] %3llu %%  %llu lines", std::string(full, '#').c_str(),
                   std::string(kBarWidth - full, '.').c_str(),
                   static_cast<unsigned long long>(100 * bytes / bytes_total_),
                   static_cast<unsigned long long>(lines));
    }
    std::fflush(stderr);
  }

 private:
  const uint64_t bytes_total_;
  const bool is_shown_;
  bool was_drawn_ = false;
  std::chrono::steady_clock::time_point drawn_at_;
};

// Requests on their way, and the first that failed.
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
    } else if (error_.ok()) {
      error_ = decree::Status(status.code(), StrCat("line ", line, ": ", status.message()));
    }
    changed_.notify_all();
  }
  decree::Status WaitForAll() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ == 0; });
    return error_;
  }
  uint64_t done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t in_flight_ = 0;
  uint64_t done_ = 0;
  decree::Status error_;
};

}  // namespace

int Import(Client& client, const Output& output, std::istream& in, uint64_t bytes_total) {
  Flight flight;
  Progress progress(bytes_total);
  decree::Status malformed;
  uint64_t number = 0;
  uint64_t bytes = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    bytes += line.size() + 1;
    const size_t tab = line.find('\t');
    if (tab == std::string::npos || tab == 0) {
      malformed = absl::InvalidArgumentError(
          StrCat("line ", number, ": it is not of the form KEY<TAB>VALUE"));
      break;
    }
    if (!flight.Enter()) break;
    v1::PutRequest request;
    request.set_key(line.substr(0, tab));
    request.set_value(line.substr(tab + 1));
    client.Put(std::move(request), [&flight, number](const StatusOr<v1::PutResponse>& response) {
      flight.Leave(number, response.status());
    });
    progress.Update(number, bytes, false);
  }
  decree::Status status = flight.WaitForAll();
  if (status.ok()) status = malformed;
  progress.Update(flight.done(), bytes, true);
  if (!status.ok()) {
    return Fail(output, decree::Status(status.code(), StrCat(status.message(), " (", flight.done(),
                                                             " lines were imported)")));
  }
  if (output.json) {
    std::cout << nlohmann::json{{"imported", flight.done()}}.dump() << '\n';
  } else {
    std::cout << "imported " << flight.done() << " keys\n";
  }
  return kDone;
}

}  // namespace decree::rpc::cli
