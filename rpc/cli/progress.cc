#include "rpc/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace decree::rpc::cli {
namespace {

constexpr size_t kBarWidth = 40;
constexpr auto kDrawEvery = std::chrono::milliseconds(100);

}  // namespace

Progress::Progress(const char* what, uint64_t bytes_total)
    : what_(what), bytes_total_(bytes_total), is_shown_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (was_drawn_) std::fprintf(stderr, "\n");
}

void Progress::Update(uint64_t count, uint64_t bytes, bool is_last) {
  const auto now = std::chrono::steady_clock::now();
  if (!is_shown_ || (!is_last && now - drawn_at_ < kDrawEvery)) return;
  drawn_at_ = now;
  was_drawn_ = true;
  if (bytes_total_ == 0) {
    std::fprintf(stderr, "\r%llu %s, %llu MiB", static_cast<unsigned long long>(count), what_,
                 static_cast<unsigned long long>(bytes >> 20));
  } else {
    const uint64_t part = std::min(bytes, bytes_total_);
    const size_t full = kBarWidth * part / bytes_total_;
    std::fprintf(stderr, "\r[%s%s] %3llu %%  %llu %s", std::string(full, '#').c_str(),
                 std::string(kBarWidth - full, '.').c_str(), static_cast<unsigned long long>(100 * part / bytes_total_),
                 static_cast<unsigned long long>(count), what_);
  }
  std::fflush(stderr);
}

}  // namespace decree::rpc::cli
